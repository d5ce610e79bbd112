-- ARGV: id, fence, offset, preview, most_bytes.  Appends a preview, unless it is there
-- already or would leave a gap: what is kept must be `offset` bytes long.
-- Returns "OK", "CANCEL" (stop, then say so with fail) or "LOST" (stop, say nothing).
local id, kept = ARGV[1], redis.call('HSTRLEN', job_key(ARGV[1]), 'previews')
if not holds(id, ARGV[2]) then return 'LOST' end
if get(id, 'state') == 'CANCELLING' then return 'CANCEL' end
if kept == tonumber(ARGV[3]) and kept + #ARGV[4] <= tonumber(ARGV[5]) then
  set(id, 'previews', get(id, 'previews') .. ARGV[4])
  emit(id, 'changed')
end
return 'OK'
