"""A function: it gets one event's data and gives a result, or raises."""


def handler(data, context):
    return {"greeting": f"Hello, {data['name']}!"}
