-- ARGV: queue ("all" for every one), paused ("1" or "0").  The history tells of it once.
local queue, paused = ARGV[1], ARGV[2]
local changed = redis.call(paused == '1' and 'SADD' or 'SREM', P .. 'paused', queue)
if changed == 1 then
  redis.call('XADD', P .. 'ev', '*', 'kind', 'queue', 'queue', queue, 'paused', paused,
    'at_ms', NOW)
end
if paused == '0' then
  if queue ~= 'all' then
    wake(queue)
  else
    for _, each in ipairs(redis.call('SMEMBERS', P .. 'queues')) do wake(each) end
  end
end
return 'OK'
