-- Returns the names of the workers that live.
return redis.call('ZRANGEBYSCORE', P .. 'workers', NOW, '+inf')
