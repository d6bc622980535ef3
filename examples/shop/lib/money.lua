-- Amounts are kept in whole cents' precision, so that sums don't drift.
local money = {}

function money.round(amount)
  return math.floor(amount * 100 + 0.5) / 100
end

function money.add(a, b)
  return money.round(a + b)
end

return money
