-- ARGV: id, fence, outcome.  Freezes the outcome and puts the job into the outbox.
-- Returns "OK" (also when this very claim committed before), "CANCEL" or "LOST".
local id = ARGV[1]
if get(id, 'fence') == ARGV[2] and get(id, 'outcome') ~= '' then return 'OK' end
if not holds(id, ARGV[2]) then return 'LOST' end
if get(id, 'state') == 'CANCELLING' then
  remember_attempt(id, '')
  finish(id, 'CANCELLED')
  return 'CANCEL'
end
set(id, 'outcome', ARGV[3], 'owner', '')
take_out(id)
redis.call('ZADD', P .. 'outbox', NOW, id)
wake('outbox')
return 'OK'
