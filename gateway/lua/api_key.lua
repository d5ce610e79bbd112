-- Lets only those in who know the key. The time taken does not tell how much of a guess
-- was right. A page sends it as a cookie, for an audio element can send no headers.

local KEY = "@KEY@"

local function same(guess)
  local difference = bit.bxor(#guess, #KEY)
  for i = 1, #KEY do
    difference = bit.bor(difference, bit.bxor(KEY:byte(i), guess:byte(i) or 0))
  end
  return difference == 0
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local bearer = (headers:get("authorization") or ""):match("^[Bb]earer (.*)$") or ""
  local plain = headers:get("x-api-key") or ""
  local cookie = ("; " .. (headers:get("cookie") or "")):match("; musicgen_key=([^;]*)") or ""
  if not (same(bearer) or same(plain) or same(cookie)) then
    handle:respond({ [":status"] = "401" }, "")
  end
end
