#!lua flags=allow-oom
-- ARGV: id.  Returns "OK", "NOT_FOUND" or "NOT_TERMINAL".
local id = ARGV[1]
if get(id, 'state') == '' then return 'NOT_FOUND' end
if not redis.call('ZSCORE', P .. 'ended', id) then return 'NOT_TERMINAL' end
emit(id, 'deleted')
redis.call('ZREM', P .. 'ended', id)
redis.call('ZREM', P .. 'idx', id)
redis.call('DEL', job_key(id))
return 'OK'
