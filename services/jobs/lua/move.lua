-- ARGV: id, priority ("" leaves it), place ("", "before", "after", "first" or "last"), other.
-- Returns "OK", "NOT_FOUND", "NOT_WAITING", "OTHER_NOT_FOUND" or "ELSEWHERE" (the other job
-- waits in another queue, with another priority, or not at all).
local id, place, other = ARGV[1], ARGV[3], ARGV[4]
if get(id, 'state') == '' then return 'NOT_FOUND' end
if get(id, 'state') ~= 'QUEUED' then return 'NOT_WAITING' end
local queue, old = get(id, 'queue'), get(id, 'priority')
local priority = ARGV[2] ~= '' and ARGV[2] or old
if place == '' and priority ~= old then place = 'last' end
if place == '' then return 'OK' end

local key = P .. 'q:' .. queue
local base = (3 - tonumber(priority)) * CLASS
local low, high = whole(base - CLASS / 2), whole(base + CLASS / 2)

-- Neighbours in line of a rank, without the job itself: up to `count` {id, rank}.
local function before(rank)
  local found = redis.call('ZREVRANGEBYSCORE', key, '(' .. whole(base + rank), low,
    'WITHSCORES', 'LIMIT', 0, 2)
  local i = found[1] == id and 3 or 1
  return found[i] and tonumber(found[i + 1]) - base
end
local function after(rank, count)
  local found = redis.call('ZRANGEBYSCORE', key, '(' .. whole(base + rank), high,
    'WITHSCORES', 'LIMIT', 0, count + 1)
  local others = {}
  for i = 1, #found, 2 do
    if found[i] ~= id then others[#others + 1] = {found[i], tonumber(found[i + 1]) - base} end
  end
  return others
end
local function put(who, rank)
  set(who, 'rank', whole(rank))
  if redis.call('ZSCORE', key, who) then line_up(who) end
  emit(who, 'changed')
end

local rank
if place == 'last' then
  rank = redis.call('INCR', P .. 'seq') * SPACING
elseif place == 'first' then
  local head = after(-CLASS / 2, 1)[1]
  local least = head and head[2] or redis.call('INCR', P .. 'seq') * SPACING
  for _, each in ipairs(redis.call('SMEMBERS', P .. 'delayed:' .. queue)) do
    if each ~= id and get(each, 'priority') == priority then
      least = math.min(least, tonumber(get(each, 'rank')))
    end
  end
  rank = least - SPACING
else
  if get(other, 'state') == '' then return 'OTHER_NOT_FOUND' end
  if other == id or get(other, 'state') ~= 'QUEUED' or get(other, 'queue') ~= queue
    or get(other, 'priority') ~= priority then
    return 'ELSEWHERE'
  end
  local at = tonumber(get(other, 'rank'))
  local left = place == 'after' and at or before(at) or at - 2 * SPACING
  -- Those right of the gap move on until there is room for all.
  local right, movers, count = nil, {}, 200
  repeat
    right, movers = after(left, count), {}
    if place == 'before' and (not right[1] or right[1][2] > at) then
      table.insert(right, 1, {other, at}) -- it waits for its delay, apart from the line
    end
    while right[#movers + 1] and right[#movers + 1][2] - left < #movers + 2 do
      movers[#movers + 1] = right[#movers + 1][1]
    end
    local all = #right < count
    count = count * 4
  until right[#movers + 1] or all
  local step
  if right[#movers + 1] then
    step = math.floor((right[#movers + 1][2] - left) / (#movers + 2))
  else -- to the end, before all that is accepted from now on
    step = math.floor((redis.call('INCR', P .. 'seq') * SPACING - left) / (#movers + 1))
  end
  rank = left + step
  for i, each in ipairs(movers) do put(each, left + (i + 1) * step) end
end
redis.call('HSET', job_key(id), 'priority', priority)
put(id, rank)
return 'OK'
