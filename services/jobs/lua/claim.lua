-- ARGV: owner, lease_ms, queue...  Takes the most urgent, then the first job of these queues.
-- Returns {id, fence, attempt, spec, checkpoint, trace}, or {} if none can start.
if redis.call('SISMEMBER', P .. 'paused', 'all') == 1 then return {} end
local chosen, chosen_queue, chosen_score
for i = 3, #ARGV do
  local head = redis.call('ZRANGE', P .. 'q:' .. ARGV[i], 0, 0, 'WITHSCORES')
  if head[1] and redis.call('SISMEMBER', P .. 'paused', ARGV[i]) == 0
    and (not chosen or tonumber(head[2]) < chosen_score) then
    chosen, chosen_queue, chosen_score = head[1], ARGV[i], tonumber(head[2])
  end
end
if not chosen then return {} end
redis.call('ZREM', P .. 'q:' .. chosen_queue, chosen)
if get(chosen, 'state') ~= 'QUEUED' then return {} end
local fence = redis.call('HINCRBY', job_key(chosen), 'fence', 1)
local attempt = redis.call('HINCRBY', job_key(chosen), 'attempt', 1)
to_state(chosen, 'RUNNING')
set(chosen, 'owner', ARGV[1], 'claimed_ms', NOW, 'not_before_ms', 0)
redis.call('HSETNX', job_key(chosen), 'started_ms', NOW)
redis.call('HDEL', job_key(chosen), 'progress', 'previews')
redis.call('ZADD', P .. 'due', NOW + tonumber(ARGV[2]), chosen)
redis.call('SADD', P .. 'running:' .. chosen_queue, chosen)
emit(chosen, 'changed')
return {chosen, fence, attempt, get(chosen, 'spec'), get(chosen, 'checkpoint'),
  get(chosen, 'trace')}
