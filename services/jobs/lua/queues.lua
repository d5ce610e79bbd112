-- ARGV: names of queues that are told of even if they are empty.
-- Returns {all_paused, {queue, paused, waiting, delayed, running, wait_ms of the first or -1}...}
local names, known = {}, {}
for _, queue in ipairs(ARGV) do
  names[#names + 1], known[queue] = queue, true
end
for _, key in ipairs({'queues', 'paused'}) do
  for _, queue in ipairs(redis.call('SMEMBERS', P .. key)) do
    if not known[queue] and queue ~= 'all' then
      names[#names + 1], known[queue] = queue, false
    end
  end
end
local found = {redis.call('SISMEMBER', P .. 'paused', 'all')}
for _, queue in ipairs(names) do
  local paused = redis.call('SISMEMBER', P .. 'paused', queue)
  local waiting = redis.call('ZCARD', P .. 'q:' .. queue)
  local delayed = redis.call('SCARD', P .. 'delayed:' .. queue)
  local running = redis.call('SCARD', P .. 'running:' .. queue)
  if known[queue] or paused + waiting + delayed + running > 0 then
    local head = redis.call('ZRANGE', P .. 'q:' .. queue, 0, 0)[1]
    local wait_ms = head and NOW - tonumber(get(head, 'created_ms')) or -1
    found[#found + 1] = {queue, paused, waiting, delayed, running, wait_ms}
  else
    redis.call('SREM', P .. 'queues', queue)
  end
end
return found
