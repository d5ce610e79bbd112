-- Two promises of the contract's REST side that Envoy's JSON transcoder does not keep.

-- `response_body: "job"`: the answer is the job itself, not {"job": …}. Which field to
-- take is the route's metadata; see routes.py.
function envoy_on_response(handle)
  local field = handle:metadata():get("response_body")
  local headers = handle:headers()
  if field == nil or headers:get(":status") ~= "200" or
      headers:get("content-type") ~= "application/json" then
    return -- gRPC, or an error
  end
  local body = handle:body()
  if body == nil then
    return
  end
  local text = body:getBytes(0, body:length())
  local head = '{"' .. field .. '":'
  local inner = "{}" -- the field is absent
  if text:sub(1, #head) == head then
    inner = text:sub(#head + 1, -2)
  end
  -- Waiting for the body made the earlier `headers` invalid.
  handle:headers():replace("content-length", body:setBytes(inner))
end

local NEVER_EDITED = { etag = true, trackId = true, track_id = true }

-- The keys of the outermost object of a JSON text. If it is broken, so is the list; the
-- transcoder refuses the request then.
local function outermost_keys(text)
  local keys, depth, at = {}, 0, 1
  while true do
    local start, _, found = text:find('(["{}%[%]])', at)
    if start == nil then
      return keys
    end
    at = start + 1
    if found == '"' then
      local stop = text:find('["\\]', at)
      while stop ~= nil and text:sub(stop, stop) == "\\" do
        stop = text:find('["\\]', stop + 2)
      end
      if stop == nil then
        return keys
      end
      local word = text:sub(start + 1, stop - 1)
      if depth == 1 and text:find("^%s*:", stop + 1) and word:find("^[%w_]+$") then
        keys[#keys + 1] = word
      end
      at = stop + 1
    else
      depth = depth + ((found == "{" or found == "[") and 1 or -1)
    end
  end
end

-- A PATCH without updateMask edits the fields that its body names, so that an empty value
-- clears a field.
function envoy_on_request(handle)
  local headers = handle:headers()
  local path = headers:get(":path")
  if headers:get(":method") ~= "PATCH" or path:find("[?&]update_?[Mm]ask=") then
    return
  end
  local body = handle:body()
  if body == nil then
    return
  end
  local edited = {}
  for _, key in ipairs(outermost_keys(body:getBytes(0, body:length()))) do
    if not NEVER_EDITED[key] then
      edited[#edited + 1] = key
    end
  end
  if #edited > 0 then
    local join = path:find("?", 1, true) and "&" or "?"
    handle:headers():replace(":path", path .. join .. "updateMask=" .. table.concat(edited, ","))
  end
end
