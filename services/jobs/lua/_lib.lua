-- Prepended to every script. KEYS[1] is the prefix of all keys, such as "{musicgen}:";
-- its hash tag keeps them in one slot. The only clock is this server's.
--
--   job:<id>      hash    the record; spec, progress, previews, outcome and error are
--                         opaque bytes, previews one after the other
--   q:<queue>     zset    jobs that can start now, by seq (first in, first out)
--   due           zset    when to look at a job again: its lease's or its delay's end
--   outbox        zset    jobs whose outcome is frozen but not yet published
--   idx           zset    all jobs, by seq;  ended: ended jobs, by time
--   ev            stream  every change;      floor: nothing at or below it is kept
--   req:<uuid>    hash    an accepted request;  wake:<queue>  list  "look again" tokens
--   workers       zset    until when a worker counts as alive;  engines:<worker>  hash
local P = KEYS[1]
local time = redis.call('TIME')
local NOW = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function job_key(id) return P .. 'job:' .. id end

local function get(id, field) return redis.call('HGET', job_key(id), field) or '' end

local function set(id, ...) redis.call('HSET', job_key(id), ...) end

-- Append one change to the history. rev grows by one with every change, and only here.
local function emit(id, kind)
  set(id, 'updated_ms', NOW)
  local rev = redis.call('HINCRBY', job_key(id), 'rev', 1)
  local entry = {'kind', kind, 'job', id, 'rev', rev, 'at_ms', NOW}
  if kind == 'changed' then
    for _, value in ipairs(redis.call('HGETALL', job_key(id))) do entry[#entry + 1] = value end
  elseif kind == 'progressed' then
    entry[#entry + 1] = 'progress'
    entry[#entry + 1] = get(id, 'progress')
  end
  redis.call('XADD', P .. 'ev', '*', unpack(entry))
end

local function wake(queue)
  local key = P .. 'wake:' .. queue
  redis.call('RPUSH', key, '1')
  -- A token only means "look again": more than there are runners are of no use.
  redis.call('LTRIM', key, -64, -1)
end

local function enqueue(id)
  local queue = get(id, 'queue')
  redis.call('ZREM', P .. 'due', id)
  redis.call('ZADD', P .. 'q:' .. queue, get(id, 'seq'), id)
  wake(queue)
end

local function finish(id, state)
  redis.call('ZREM', P .. 'due', id)
  redis.call('ZREM', P .. 'outbox', id)
  redis.call('ZREM', P .. 'q:' .. get(id, 'queue'), id)
  redis.call('ZADD', P .. 'ended', NOW, id)
  redis.call('HDEL', job_key(id), 'previews')
  set(id, 'state', state, 'ended_ms', NOW, 'owner', '', 'not_before_ms', 0)
  emit(id, 'changed')
end

-- An attempt is over without an outcome: end the job, or line it up again.
local function attempt_over(id, error, retryable, delay_ms)
  if get(id, 'state') == 'CANCELLING' then return finish(id, 'CANCELLED') end
  if error ~= '' then set(id, 'error', error) end
  if not retryable or tonumber(get(id, 'attempt')) >= tonumber(get(id, 'max_attempts')) then
    return finish(id, 'FAILED')
  end
  set(id, 'state', 'QUEUED', 'owner', '', 'not_before_ms', delay_ms > 0 and NOW + delay_ms or 0)
  redis.call('HDEL', job_key(id), 'progress', 'previews')
  if delay_ms > 0 then
    redis.call('ZADD', P .. 'due', NOW + delay_ms, id)
  else
    enqueue(id)
  end
  emit(id, 'changed')
end

-- Whether the caller still holds the job: its fence is the newest and nothing is frozen.
local function holds(id, fence)
  local state = get(id, 'state')
  return (state == 'RUNNING' or state == 'CANCELLING')
    and get(id, 'fence') == fence and get(id, 'outcome') == ''
end
