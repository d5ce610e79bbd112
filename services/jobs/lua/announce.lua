-- ARGV: owner, alive_ms, kept_ms, known ("1" or "0"), then name, manifest of each engine.
-- Says that a worker lives and what it can run; if that is not known now, as before.
local key = P .. 'engines:' .. ARGV[1]
redis.call('ZADD', P .. 'workers', NOW + tonumber(ARGV[2]), ARGV[1])
if ARGV[4] == '1' then
  -- Written only if it changed: every write goes to the disk.
  local same = redis.call('HLEN', key) * 2 == #ARGV - 4
  for i = 5, #ARGV, 2 do
    same = same and redis.call('HGET', key, ARGV[i]) == ARGV[i + 1]
  end
  if not same then
    redis.call('DEL', key)
    if #ARGV > 4 then redis.call('HSET', key, unpack(ARGV, 5)) end
  end
end
if redis.call('PTTL', key) < tonumber(ARGV[3]) / 2 then
  redis.call('PEXPIRE', key, ARGV[3])
end
redis.call('ZREMRANGEBYSCORE', P .. 'workers', '-inf', NOW - tonumber(ARGV[3]))
return 'OK'
