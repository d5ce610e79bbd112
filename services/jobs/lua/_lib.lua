-- Prepended to every script. KEYS[1] is the prefix of all keys, such as "{musicgen}:";
-- its hash tag keeps them in one slot. The only clock is this server's.
--
--   job:<id>      hash    the record; spec, progress, previews, checkpoint, outcome and error
--                         are opaque bytes, previews one after the other; "try:<fence>" is an
--                         attempt that came to nothing
--   q:<queue>     zset    jobs that can start now, in the order in which they start
--   delayed:<queue>  set  jobs that wait for a delay to be over;  running:<queue>  set
--   queues        set     names of queues that have, or had, jobs;  paused  set
--   due           zset    when to look at a job again: its lease's or its delay's end
--   outbox        zset    jobs whose outcome is frozen but not yet published
--   idx           zset    all jobs, by seq;  ended: ended jobs, by time
--   batch:<id>    hash    size, times, and how many jobs are in each state
--   members:<id>  zset    a batch's jobs, by seq;  batches: all of them, by seq of their first
--                         job;  batches_ended: those whose jobs have all ended, by time
--   ev            stream  every change;      floor: nothing at or below it is kept
--   req:<uuid>    hash    an accepted request;  wake:<queue>  list  "look again" tokens
--   workers       zset    until when a worker counts as alive;  engines:<worker>  hash
local P = KEYS[1]
local time = redis.call('TIME')
local NOW = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- Ranks of neighbours are so far apart at first; a job is moved into the middle between two.
local SPACING = 65536
-- Ranks lie within half of this around 0, so that the classes of urgency never overlap and
-- every score is a whole number that a double holds.
local CLASS = 2251799813685248
local TRIES_KEPT = 20

local function job_key(id) return P .. 'job:' .. id end

local function get(id, field) return redis.call('HGET', job_key(id), field) or '' end

local function set(id, ...) redis.call('HSET', job_key(id), ...) end

local function whole(number) return string.format('%.0f', number) end

-- Append one change to the history. rev grows by one with every change, and only here.
local function emit(id, kind)
  set(id, 'updated_ms', NOW)
  local rev = redis.call('HINCRBY', job_key(id), 'rev', 1)
  local entry = {'kind', kind, 'job', id, 'rev', rev, 'at_ms', NOW}
  if kind == 'changed' then
    for _, value in ipairs(redis.call('HGETALL', job_key(id))) do entry[#entry + 1] = value end
  else
    entry[#entry + 1] = 'batch'
    entry[#entry + 1] = get(id, 'batch')
    if kind == 'progressed' then
      entry[#entry + 1] = 'progress'
      entry[#entry + 1] = get(id, 'progress')
    end
  end
  redis.call('XADD', P .. 'ev', '*', unpack(entry))
end

local function wake(queue)
  local key = P .. 'wake:' .. queue
  redis.call('RPUSH', key, '1')
  -- A token only means "look again": more than there are runners are of no use.
  redis.call('LTRIM', key, -64, -1)
end

-- Every change of state goes through here, so that a batch's counts are always right.
local function to_state(id, state)
  local batch = get(id, 'batch')
  if batch ~= '' then
    local old = get(id, 'state')
    if old ~= '' then redis.call('HINCRBY', P .. 'batch:' .. batch, old, -1) end
    redis.call('HINCRBY', P .. 'batch:' .. batch, state, 1)
  end
  set(id, 'state', state)
end

-- The more urgent class first, then by rank.
local function score(priority, rank) return whole((3 - priority) * CLASS + rank) end

local function line_up(id)
  if get(id, 'rank') == '' then -- accepted by a studio that knew neither ranks nor priorities
    set(id, 'priority', 2, 'rank', whole(tonumber(get(id, 'seq')) * SPACING))
  end
  redis.call('ZADD', P .. 'q:' .. get(id, 'queue'),
    score(tonumber(get(id, 'priority')), tonumber(get(id, 'rank'))), id)
end

local function enqueue(id)
  local queue = get(id, 'queue')
  redis.call('ZREM', P .. 'due', id)
  redis.call('SREM', P .. 'delayed:' .. queue, id)
  line_up(id)
  wake(queue)
end

-- Take a job out of every place where it waits or is held.
local function take_out(id)
  local queue = get(id, 'queue')
  redis.call('ZREM', P .. 'due', id)
  redis.call('ZREM', P .. 'outbox', id)
  redis.call('ZREM', P .. 'q:' .. queue, id)
  redis.call('SREM', P .. 'delayed:' .. queue, id)
  redis.call('SREM', P .. 'running:' .. queue, id)
end

-- Write a new job. It waits, and the history tells of it.
local function accept(id, queue, spec, max_attempts, priority, retry_of, batch, trace)
  local seq = redis.call('INCR', P .. 'seq')
  set(id, 'queue', queue, 'spec', spec, 'seq', seq, 'rev', 0, 'fence', 0, 'attempt', 0,
    'max_attempts', max_attempts, 'created_ms', NOW, 'priority', priority,
    'rank', whole(seq * SPACING), 'retry_of', retry_of, 'batch', batch, 'trace', trace)
  redis.call('ZADD', P .. 'idx', seq, id)
  redis.call('SADD', P .. 'queues', queue)
  if batch ~= '' then redis.call('ZADD', P .. 'members:' .. batch, seq, id) end
  to_state(id, 'QUEUED')
  enqueue(id)
  emit(id, 'changed')
  return seq
end

-- Return what a request with this id made before: nil, or its hash's "digest" and `field`.
local function known_request(request_id, field)
  if request_id == '' then return nil end
  local known = redis.call('HMGET', P .. 'req:' .. request_id, 'digest', field)
  return known[1] and known
end

local function remember_request(request_id, digest, field, made, ttl_ms)
  if request_id == '' then return end
  redis.call('HSET', P .. 'req:' .. request_id, 'digest', digest, field, made)
  redis.call('PEXPIRE', P .. 'req:' .. request_id, ttl_ms)
end

-- Keep what became of an attempt. The worker's name has its length before it.
local function remember_attempt(id, error)
  local owner, fence = get(id, 'owner'), tonumber(get(id, 'fence'))
  local claimed_ms = redis.call('HGET', job_key(id), 'claimed_ms') or get(id, 'started_ms')
  local head = {get(id, 'attempt'), claimed_ms, whole(NOW), #owner, owner}
  set(id, 'try:' .. whole(fence), table.concat(head, ' ') .. error)
  redis.call('HDEL', job_key(id), 'try:' .. whole(fence - TRIES_KEPT))
end

local function finish(id, state)
  take_out(id)
  redis.call('ZADD', P .. 'ended', NOW, id)
  redis.call('HDEL', job_key(id), 'previews', 'checkpoint')
  to_state(id, state)
  set(id, 'ended_ms', NOW, 'owner', '', 'not_before_ms', 0)
  local batch = get(id, 'batch')
  if batch ~= '' then
    local open = redis.call('HMGET', P .. 'batch:' .. batch, 'QUEUED', 'RUNNING', 'CANCELLING')
    if tonumber(open[1] or 0) + tonumber(open[2] or 0) + tonumber(open[3] or 0) == 0 then
      redis.call('HSET', P .. 'batch:' .. batch, 'ended_ms', NOW)
      redis.call('ZADD', P .. 'batches_ended', NOW, batch)
    end
  end
  emit(id, 'changed')
end

-- An attempt is over without an outcome: end the job, or line it up again. One that was
-- given back doesn't count.
local function attempt_over(id, error, retryable, delay_ms, given_back)
  remember_attempt(id, error)
  if given_back then redis.call('HINCRBY', job_key(id), 'attempt', -1) end
  if get(id, 'state') == 'CANCELLING' then return finish(id, 'CANCELLED') end
  if error ~= '' then set(id, 'error', error) end
  if not retryable or tonumber(get(id, 'attempt')) >= tonumber(get(id, 'max_attempts')) then
    return finish(id, 'FAILED')
  end
  take_out(id)
  to_state(id, 'QUEUED')
  set(id, 'owner', '', 'not_before_ms', delay_ms > 0 and NOW + delay_ms or 0)
  redis.call('HDEL', job_key(id), 'progress', 'previews')
  if delay_ms > 0 then
    redis.call('ZADD', P .. 'due', NOW + delay_ms, id)
    redis.call('SADD', P .. 'delayed:' .. get(id, 'queue'), id)
  else
    enqueue(id)
  end
  emit(id, 'changed')
end

-- Ask a job to stop. A job whose outcome is frozen is left alone: it is about to succeed.
local function request_cancel(id)
  local state = get(id, 'state')
  if state == '' then return 'NOT_FOUND' end
  if state == 'QUEUED' then
    finish(id, 'CANCELLED')
  elseif state == 'RUNNING' and get(id, 'outcome') == '' then
    to_state(id, 'CANCELLING')
    emit(id, 'changed')
  elseif state ~= 'RUNNING' and state ~= 'CANCELLING' then
    return 'TERMINAL'
  end
  return 'OK'
end

-- Whether the caller still holds the job: its fence is the newest and nothing is frozen.
local function holds(id, fence)
  local state = get(id, 'state')
  return (state == 'RUNNING' or state == 'CANCELLING')
    and get(id, 'fence') == fence and get(id, 'outcome') == ''
end
