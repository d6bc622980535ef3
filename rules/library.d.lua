---@meta
-- What rule files may use, for the Lua language server (LuaLS, EmmyLua). Written by
-- `dalamb init`, and anew by `dalamb init --annotations`: what is changed here is lost then.

--- JSON's null: a value. What is missing is nil.
---@class dalamb.Null
null = {}

--- An event as functions see it, read-only; extension attributes are fields of it, too.
---@class dalamb.Event
---@field id string
---@field source string
---@field type string
---@field subject string? What it is about.
---@field time string? When it happened, RFC 3339.
---@field data any Its payload: what is missing is nil, JSON's null is `null`.
---@field topic string Its place in the log: topic, partition, offset.
---@field partition integer
---@field offset integer
---@field [string] any

--- What `emit` gives. `id` and `time` follow from the cause.
---@class dalamb.Emit
---@field type string Not one that begins with "dalamb.".
---@field subject? string
---@field partitionkey? string
---@field data? any
---@field source? string
---@field topic? string
---@field [string] any Extension attributes: names of a-z and 0-9; strings, integers, booleans.

--- An operator's call, in a pattern.
---@class dalamb.Operator

--- What a field of a pattern may be: a value, an operator, fields, or a list of which one matches.
---@alias dalamb.Match dalamb.Item|dalamb.Item[]
---@alias dalamb.Item string|number|boolean|dalamb.Null|dalamb.Operator|dalamb.Fields

--- Fields inside of an event: each of them must match; `any_of` may stand beside them.
---@class dalamb.Fields
---@field [string] dalamb.Match
---@field [integer] dalamb.Operator

--- A pattern is like the event, with what its fields may be.
---@class dalamb.Pattern
---@field type? dalamb.Match
---@field source? dalamb.Match
---@field subject? dalamb.Match
---@field id? dalamb.Match
---@field time? dalamb.Match
---@field data? dalamb.Match
---@field topic? string|string[] From which topics.
---@field [string] dalamb.Match Extension attributes.
---@field [integer] dalamb.Operator

--- What a test has beforehand, or expects.
---@class dalamb.Expectation

--- A secret by its name; its value never reaches a script.
---@class dalamb.Secret

-- Operators of patterns -------------------------------------------------------------------------

--- Text that begins so: `prefix "A-"`, `prefix(ignore_case "a-")`.
---@param text string|dalamb.Operator
---@return dalamb.Operator
function prefix(text) end

--- Text that ends so.
---@param text string|dalamb.Operator
---@return dalamb.Operator
function suffix(text) end

--- Text that is equal but for case, by Unicode's simple folding.
---@param text string
---@return dalamb.Operator
function ignore_case(text) end

--- Text in which `*` stands for anything; `\*` and `\\` escape.
---@param text string
---@return dalamb.Operator
function wildcard(text) end

--- Anything else; prefix, suffix, ignore_case and wildcard may be inside. A missing field does not match.
---@param ... string|number|dalamb.Operator|(string|number)[]
---@return dalamb.Operator
function anything_but(...) end

--- A number in a range: `numeric(">", 0, "<=", 5)`, `numeric("=", 3)`.
---@param comparison "<"|"<="|"="|">="|">"
---@param number number
---@param comparison2? "<"|"<="
---@param number2? number
---@return dalamb.Operator
function numeric(comparison, number, comparison2, number2) end

--- The field is there, or is not.
---@param there boolean
---@return dalamb.Operator
function exists(there) end

--- An address in a network: `cidr "10.0.0.0/24"`, IPv4 or IPv6.
---@param network string
---@return dalamb.Operator
function cidr(network) end

--- One of several sub-patterns, beside other fields: `{ type = "a", any_of { {...}, {...} } }`.
---@param patterns dalamb.Fields[]
---@return dalamb.Operator
function any_of(patterns) end

--- A list that has a match for each of these.
---@param ... dalamb.Match
---@return dalamb.Operator
function all_of(...) end

--- Text that an I-Regexp (RFC 9485) matches as a whole, in linear time.
---@param regexp string
---@return dalamb.Operator
function matches(regexp) end

--- A time (RFC 3339) before this one, as instants.
---@param time string
---@return dalamb.Operator
function before(time) end

--- A time (RFC 3339) after this one, as instants.
---@param time string
---@return dalamb.Operator
function after(time) end

--- A whole pattern in EventBridge's JSON form: `on = eventbridge [[ {"detail-type": ["a"]} ]]`.
---@param json string
---@return dalamb.Operator
function eventbridge(json) end

-- Views, secrets, tests -------------------------------------------------------------------------

--- In `when`, `emit` and `input`: a projection's entry as it was before this event, or nil. In a
--- test's `given` and `expect`: what an entry is, with the value as third argument.
---@param projection string
---@param key string|integer|boolean
---@return any
---@overload fun(projection: string, key: string|integer|boolean, value: any): dalamb.Expectation
function view(projection, key) end

--- The operator's files: a secret by its name, from a file or the environment.
---@param name string
---@return dalamb.Secret
function secret(name) end

--- In a test: the function is called; with the payload's fields that are given.
---@param func string
---@param payload? table
---@return dalamb.Expectation
function call(func, payload) end

--- In a test: an event of this type is emitted; with the fields that are given.
---@param type string
---@param event? table
---@return dalamb.Expectation
function emit(type, event) end

--- In a test: the rule matches.
---@param rule string
---@return dalamb.Expectation
function match(rule) end

--- In a test: the rule does not match.
---@param rule string
---@return dalamb.Expectation
function no_match(rule) end

--- In a test: the function is not called; without a name: none is.
---@param func? string
---@return dalamb.Expectation
function no_call(func) end

--- In a test: no event of this type is emitted; without a type: none is.
---@param type? string
---@return dalamb.Expectation
function no_emit(type) end

--- In a test: the rule or projection fails.
---@param name string
---@return dalamb.Expectation
function failure(name) end

-- Basic functions -------------------------------------------------------------------------------

--- Raises an error if the value is false or nil; gives all its arguments otherwise.
---@generic T
---@param value? T
---@param message? any
---@param ... any
---@return T
---@return any ...
function assert(value, message, ...) end

--- Raises an error.
---@param message any
---@param level? integer
function error(message, level) end

--- The items 1, 2, 3 … of a list.
---@generic T: table, V
---@param list T
---@return fun(table: V[], index?: integer): integer, V
---@return T
---@return integer
function ipairs(list) end

--- The next key and value, in the one order: integers, other numbers, text by bytes, booleans.
---@generic K, V
---@param table table<K, V>
---@param key? K
---@return K?
---@return V?
function next(table, key) end

--- All keys and values: of a table in one order (integers, other numbers, text by bytes, booleans), of an
--- event in the document's.
---@generic T: table, K, V
---@param table T
---@return fun(table: table<K, V>, index?: K): K, V
---@return T
function pairs(table) end

--- Calls a function; gives false and the error if it raises one. Limits are not caught.
---@param f fun(...): ...
---@param ... any
---@return boolean success
---@return any result
---@return any ...
function pcall(f, ...) end

--- What lib/NAME.lua returned; at the top of a file.
---@param name string
---@return any
function require(name) end

--- The arguments from the n-th on; with "#": how many there are.
---@param n integer|"#"
---@param ... any
---@return any ...
function select(n, ...) end

--- A number from text, or nil.
---@param value any
---@param base? integer
---@return number?
function tonumber(value, base) end

--- Text of a value; never an address.
---@param value any
---@return string
function tostring(value) end

--- What kind of value it is; of parts of an event "table".
---@param value any
---@return "nil"|"null"|"number"|"string"|"boolean"|"table"|"function"|"userdata"
function type(value) end

-- string ----------------------------------------------------------------------------------------

---@class stringlib
string = {}

---@param s string|number
---@param i? integer
---@param j? integer
---@return integer ...
function string.byte(s, i, j) end

---@param ... integer
---@return string
function string.char(...) end

--- Where a Lua pattern first matches, and its captures; with `plain` the text itself.
---@param s string|number
---@param pattern string|number
---@param init? integer
---@param plain? boolean
---@return integer? start
---@return integer? finish
---@return any ... captured
function string.find(s, pattern, init, plain) end

---@param s string
---@param ... any
---@return string
function string.format(s, ...) end

---@param s string|number
---@param pattern string|number
---@return fun(): string, ...
function string.gmatch(s, pattern) end

---@param s string|number
---@param pattern string|number
---@param replacement string|number|table|function
---@param n? integer
---@return string
---@return integer count
function string.gsub(s, pattern, replacement, n) end

---@param s string|number
---@return integer
function string.len(s) end

---@param s string|number
---@return string
function string.lower(s) end

---@param s string|number
---@param pattern string|number
---@param init? integer
---@return any ...
function string.match(s, pattern, init) end

---@param s string|number
---@param n integer
---@param separator? string
---@return string
function string.rep(s, n, separator) end

---@param s string|number
---@return string
function string.reverse(s) end

---@param s string|number
---@param i integer
---@param j? integer
---@return string
function string.sub(s, i, j) end

---@param s string|number
---@return string
function string.upper(s) end

-- table -----------------------------------------------------------------------------------------

---@class tablelib
table = {}

---@param list table
---@param separator? string
---@param i? integer
---@param j? integer
---@return string
function table.concat(list, separator, i, j) end

---@param list table
---@param position integer
---@param value any
---@overload fun(list: table, value: any)
function table.insert(list, position, value) end

---@param ... any
---@return table
function table.pack(...) end

---@param list table
---@param position? integer
---@return any
function table.remove(list, position) end

--- Stable: what is equal keeps its order.
---@generic T
---@param list T[]
---@param less? fun(a: T, b: T): boolean
function table.sort(list, less) end

---@generic T
---@param list T[]
---@param i? integer
---@param j? integer
---@return T ...
function table.unpack(list, i, j) end

-- math ------------------------------------------------------------------------------------------

---@class mathlib
---@field huge number
---@field maxinteger integer
---@field mininteger integer
---@field pi number
math = {}

---@generic N: number
---@param x N
---@return N
function math.abs(x) end

---@param x number
---@return integer
function math.ceil(x) end

---@param x number
---@return integer
function math.floor(x) end

---@param x number
---@param y number
---@return number
function math.fmod(x, y) end

---@generic N: number
---@param x N
---@param ... N
---@return N
function math.max(x, ...) end

---@generic N: number
---@param x N
---@param ... N
---@return N
function math.min(x, ...) end

---@param x number
---@return number
function math.sqrt(x) end

---@param x any
---@return integer?
function math.tointeger(x) end

---@param x any
---@return "integer"|"float"|nil
function math.type(x) end

-- json, time ------------------------------------------------------------------------------------

---@class dalamb.json
json = {}

--- A value as JSON, in one form.
---@param value any
---@return string
function json.encode(value) end

--- The value that a JSON text holds; raises an error if it is none.
---@param text string
---@return any
function json.decode(text) end

---@class dalamb.time
time = {}

--- Microseconds since 1970 of an RFC 3339 time, or nil.
---@param text string
---@return integer?
function time.parse(text) end

--- The RFC 3339 time of microseconds since 1970.
---@param microseconds integer
---@return string
function time.format(microseconds) end

--- Seconds from `earlier` to `later`, as text or microseconds.
---@param later string|integer
---@param earlier string|integer
---@return number
function time.diff(later, earlier) end

-- Declarations, from the field tables -----------------------------------------------------------
