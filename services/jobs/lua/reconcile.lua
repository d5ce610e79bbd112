-- ARGV: error (of an attempt whose lease ran out), when the caller looked last by this
-- server's clock (0: never), gap_ms, grace_ms.  Frees jobs whose lease is over and lines up
-- those whose delay is.  If nobody looked for longer than a gap (the machine slept, or this
-- server was away), workers could not beat either: they get some time to do so first.
-- Returns {how many, ms until the next is due or -1, now}.
local slept = NOW - tonumber(ARGV[2]) > tonumber(ARGV[3])
local touched = 0
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'due', '-inf', NOW, 'LIMIT', 0, 200)) do
  local state = get(id, 'state')
  if state == 'QUEUED' then
    enqueue(id)
  elseif slept and (state == 'RUNNING' or state == 'CANCELLING') then
    redis.call('ZADD', P .. 'due', NOW + tonumber(ARGV[4]), id)
  elseif state == 'RUNNING' or state == 'CANCELLING' then
    attempt_over(id, ARGV[1], true, 0)
  else
    redis.call('ZREM', P .. 'due', id)
  end
  touched = touched + 1
end
local next = redis.call('ZRANGE', P .. 'due', 0, 0, 'WITHSCORES')[2]
return {touched, next and math.max(0, math.ceil(tonumber(next)) - NOW) or -1, NOW}
