// A function built with the Go client as its makers ship it: answers {"got": EVENT}; to
// {"break": true} with a stream that fails half-way.
package main

import (
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
)

type event struct {
	Break bool `json:"break"`
}

type broken struct{}

func (broken) Read([]byte) (int, error) {
	return 0, errors.New("torn")
}

func handle(payload json.RawMessage) (any, error) {
	var asked event
	if err := json.Unmarshal(payload, &asked); err != nil {
		return nil, err
	}
	if asked.Break {
		return io.MultiReader(strings.NewReader("half"), broken{}), nil
	}
	return map[string]json.RawMessage{"got": payload}, nil
}

func main() {
	lambda.Start(handle)
}
