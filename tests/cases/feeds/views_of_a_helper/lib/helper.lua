return { total = function(event) return view("totals", event.subject) end }
