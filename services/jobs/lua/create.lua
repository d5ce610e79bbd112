-- ARGV: id, queue, spec, max_attempts, request_id, request_digest, request_ttl_ms,
--       queue_limit, retry_of.  Returns {"OK", id} or {reason, ""}.
local id, queue, request_id, digest = ARGV[1], ARGV[2], ARGV[5], ARGV[6]
local request_key = P .. 'req:' .. request_id
if request_id ~= '' then
  local known = redis.call('HMGET', request_key, 'digest', 'job')
  if known[2] and redis.call('EXISTS', job_key(known[2])) == 1 then
    if known[1] ~= digest then return {'REQUEST_ID_REUSED', ''} end
    return {'OK', known[2]}
  end
end
if redis.call('ZCARD', P .. 'q:' .. queue) >= tonumber(ARGV[8]) then
  return {'QUEUE_FULL', ''}
end
local seq = redis.call('INCR', P .. 'seq')
set(id, 'state', 'QUEUED', 'queue', queue, 'spec', ARGV[3], 'seq', seq, 'rev', 0, 'fence', 0,
  'attempt', 0, 'max_attempts', ARGV[4], 'created_ms', NOW, 'retry_of', ARGV[9])
redis.call('ZADD', P .. 'idx', seq, id)
if request_id ~= '' then
  redis.call('HSET', request_key, 'digest', digest, 'job', id)
  redis.call('PEXPIRE', request_key, ARGV[7])
end
enqueue(id)
emit(id, 'changed')
return {'OK', id}
