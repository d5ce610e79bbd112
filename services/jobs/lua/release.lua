-- ARGV: owner, error.  Frees at once every claim of a worker that is known to be dead.
-- Returns how many there were.
local freed = 0
for _, id in ipairs(redis.call('ZRANGE', P .. 'due', 0, -1)) do
  local state = get(id, 'state')
  if (state == 'RUNNING' or state == 'CANCELLING') and get(id, 'owner') == ARGV[1] then
    attempt_over(id, ARGV[2], true, 0)
    freed = freed + 1
  end
end
return freed
