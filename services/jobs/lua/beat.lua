#!lua flags=allow-oom
-- ARGV: id, fence, lease_ms, progress ("" if there is none to tell).
-- Returns "OK", "CANCEL" (stop, then say so with fail) or "LOST" (stop, say nothing).
local id = ARGV[1]
if not holds(id, ARGV[2]) then return 'LOST' end
redis.call('ZADD', P .. 'due', NOW + tonumber(ARGV[3]), id)
if get(id, 'state') == 'CANCELLING' then return 'CANCEL' end
if ARGV[4] ~= '' then
  set(id, 'progress', ARGV[4])
  emit(id, 'progressed')
end
return 'OK'
