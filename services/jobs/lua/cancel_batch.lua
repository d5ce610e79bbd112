-- ARGV: batch.  Asks all of its jobs to stop.  Returns "OK" or "NOT_FOUND".
if redis.call('EXISTS', P .. 'batch:' .. ARGV[1]) == 0 then return 'NOT_FOUND' end
for _, id in ipairs(redis.call('ZRANGE', P .. 'members:' .. ARGV[1], 0, -1)) do
  request_cancel(id)
end
return 'OK'
