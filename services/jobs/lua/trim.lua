#!lua flags=allow-oom
-- ARGV: history_ms, records_ms, history_most, history_most_bytes.  Lets go what has been kept
-- for long enough.  Returns how many jobs went.
local removed = 0
local old = '(' .. (NOW - tonumber(ARGV[2]))
for _, id in ipairs(redis.call('ZRANGEBYSCORE', P .. 'ended', '-inf', old, 'LIMIT', 0, 200)) do
  emit(id, 'deleted')
  redis.call('ZREM', P .. 'ended', id)
  redis.call('ZREM', P .. 'idx', id)
  redis.call('DEL', job_key(id))
  removed = removed + 1
end
for _, batch in ipairs(redis.call('ZRANGEBYSCORE', P .. 'batches_ended', '-inf', old,
  'LIMIT', 0, 200)) do
  redis.call('ZREM', P .. 'batches_ended', batch)
  redis.call('ZREM', P .. 'batches', batch)
  redis.call('DEL', P .. 'batch:' .. batch, P .. 'members:' .. batch)
end
local floor = string.format('%.0f-0', NOW - tonumber(ARGV[1]))
-- The newest change is kept however old it is: it says where the history ends.
local newest = redis.call('XREVRANGE', P .. 'ev', '+', '-', 'COUNT', 1)[1]
if newest and tonumber(string.match(newest[1], '^%d+')) < NOW - tonumber(ARGV[1]) then
  floor = newest[1]
end
if redis.call('XTRIM', P .. 'ev', 'MINID', floor) > 0 then
  redis.call('SET', P .. 'floor', floor)
end
-- A change of a job with long lyrics holds them all: bytes are bounded, too.
local most = tonumber(ARGV[3])
local bytes = redis.call('MEMORY', 'USAGE', P .. 'ev') or 0
if bytes > tonumber(ARGV[4]) then
  most = math.min(most, math.max(1,
    math.floor(redis.call('XLEN', P .. 'ev') * tonumber(ARGV[4]) / bytes)))
end
if redis.call('XTRIM', P .. 'ev', 'MAXLEN', '~', most) > 0 then
  redis.call('SET', P .. 'floor', redis.call('XRANGE', P .. 'ev', '-', '+', 'COUNT', 1)[1][1])
end
return removed
