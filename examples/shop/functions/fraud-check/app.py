"""Says how risky an order is: a stand-in for a model, with the shape of a real AWS Lambda handler."""


def handler(order, context):
    total = order.get("total")
    if not isinstance(total, (int, float)):
        raise ValueError("an order needs a total")
    risk = min(1.0, total / 2000)
    if order.get("email", "").endswith(".example"):
        risk = min(1.0, risk + 0.3)
    return {"order": order.get("order"), "customer": order.get("customer"), "risk": round(risk, 2)}
