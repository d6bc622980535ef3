"""Asks for work, calls the handler, answers: the AWS Lambda Runtime API with Python's own library."""

import http.client
import importlib
import json
import os
import traceback

connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])


def ask(method, path, body=None):
    connection.request(method, "/2018-06-01/runtime" + path, body)
    answer = connection.getresponse()
    return answer.headers, answer.read()


def error_of(exception):
    return json.dumps({
        "errorType": type(exception).__name__,
        "errorMessage": str(exception),
        "stackTrace": traceback.format_tb(exception.__traceback__),
    })


def main():
    module, name = os.environ["_HANDLER"].rsplit(".", 1)
    try:
        handler = getattr(importlib.import_module(module), name)
    except Exception as exception:
        ask("POST", "/init/error", error_of(exception))
        raise
    while True:
        headers, payload = ask("GET", "/invocation/next")
        request = headers["Lambda-Runtime-Aws-Request-Id"]
        if not request:  # this instance is being stopped
            return
        try:
            result = json.dumps(handler(json.loads(payload), headers))
        except Exception as exception:
            ask("POST", f"/invocation/{request}/error", error_of(exception))
        else:
            ask("POST", f"/invocation/{request}/response", result)


main()
