-- ARGV: id, queue, spec, max_attempts, request_id, request_digest, request_ttl_ms,
--       queue_limit, retry_of, priority, trace.  Returns {"OK", id} or {reason, ""}.
local id, queue, request_id, digest = ARGV[1], ARGV[2], ARGV[5], ARGV[6]
local known = known_request(request_id, 'job')
if known and (not known[2] or redis.call('EXISTS', job_key(known[2])) == 1) then
  if known[1] ~= digest then return {'REQUEST_ID_REUSED', ''} end
  return {'OK', known[2]}
end
if redis.call('ZCARD', P .. 'q:' .. queue) >= tonumber(ARGV[8]) then
  return {'QUEUE_FULL', ''}
end
remember_request(request_id, digest, 'job', id, ARGV[7])
accept(id, queue, ARGV[3], ARGV[4], ARGV[10], ARGV[9], '', ARGV[11])
return {'OK', id}
