-- ARGV: id, result, error.  Ends a job of the outbox: SUCCEEDED with its result, or
-- FAILED with an error if its outcome can never be published.  Idempotent.
local id = ARGV[1]
if not redis.call('ZSCORE', P .. 'outbox', id) then return 'OK' end
if ARGV[3] ~= '' then
  set(id, 'error', ARGV[3])
  finish(id, 'FAILED')
else
  set(id, 'result', ARGV[2])
  redis.call('HDEL', job_key(id), 'error')
  finish(id, 'SUCCEEDED')
end
return 'OK'
