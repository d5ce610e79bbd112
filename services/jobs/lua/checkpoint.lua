-- ARGV: id, fence, checkpoint.  Keeps what another attempt can go on from.
-- Returns "OK", "CANCEL" (stop, then say so with fail) or "LOST" (stop, say nothing).
local id = ARGV[1]
if not holds(id, ARGV[2]) then return 'LOST' end
if get(id, 'state') == 'CANCELLING' then return 'CANCEL' end
set(id, 'checkpoint', ARGV[3])
return 'OK'
