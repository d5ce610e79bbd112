-- ARGV: id.  Returns "OK", "NOT_FOUND" or "TERMINAL".  A job whose outcome is frozen is
-- left alone: it is about to succeed.
local id = ARGV[1]
local state = get(id, 'state')
if state == '' then return 'NOT_FOUND' end
if state == 'QUEUED' then
  finish(id, 'CANCELLED')
elseif state == 'RUNNING' and get(id, 'outcome') == '' then
  set(id, 'state', 'CANCELLING')
  emit(id, 'changed')
elseif state ~= 'RUNNING' and state ~= 'CANCELLING' then
  return 'TERMINAL'
end
return 'OK'
