-- ARGV: batch, max_attempts, request_id, request_digest, request_ttl_ms, queue_limit, trace,
--       then id, queue, spec, priority of each job.  All jobs or none.
-- Returns {"OK", batch} or {reason, queue}.
local batch, request_id, digest = ARGV[1], ARGV[3], ARGV[4]
local known = known_request(request_id, 'batch')
if known and (not known[2] or redis.call('EXISTS', P .. 'batch:' .. known[2]) == 1) then
  if known[1] ~= digest then return {'REQUEST_ID_REUSED', ''} end
  return {'OK', known[2]}
end
local more = {}
for i = 8, #ARGV, 4 do more[ARGV[i + 1]] = (more[ARGV[i + 1]] or 0) + 1 end
for queue, count in pairs(more) do
  if redis.call('ZCARD', P .. 'q:' .. queue) + count > tonumber(ARGV[6]) then
    return {'QUEUE_FULL', queue}
  end
end
remember_request(request_id, digest, 'batch', batch, ARGV[5])
redis.call('HSET', P .. 'batch:' .. batch, 'size', (#ARGV - 7) / 4, 'created_ms', NOW)
for i = 8, #ARGV, 4 do
  local seq = accept(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[2], ARGV[i + 3], '', batch, ARGV[7])
  if i == 8 then
    redis.call('ZADD', P .. 'batches', seq, batch)
    redis.call('HSET', P .. 'batch:' .. batch, 'seq', seq)
  end
end
return {'OK', batch}
