package admin

import (
	"encoding/json"
	"errors"
	"io"
	"sync"

	"github.com/danielgtaylor/huma/v2"

	"latchkey/clients/strictjson"
)

// exactNames makes the names of members those of the description, to the letter: encoding/json would take USERNAME for username, and the last
// of both. The variable is the whole program's.
var exactNames = sync.OnceFunc(func() { huma.ValidateStrictCasing = true })

// strictJSON reads JSON that means the same to everybody who reads it. In a merge patch (RFC 7396) members may be null.
var strictJSON, mergePatch = jsonFormat(false), jsonFormat(true)

func jsonFormat(null bool) huma.Format {
	return huma.Format{
		Marshal: func(w io.Writer, v any) error {
			e := json.NewEncoder(w)
			e.SetEscapeHTML(false)
			return e.Encode(v)
		},
		Unmarshal: func(data []byte, v any) error {
			if err := checkJSON(data, null); err != nil {
				return err
			}
			if err := json.Unmarshal(data, v); err != nil {
				return errors.New("the body is not the JSON that is expected here")
			}
			return nil
		},
	}
}

// checkJSON is strictjson.CheckStored. Without null it refuses a member of the body that is null.
func checkJSON(data []byte, null bool) error {
	if err := strictjson.CheckStored(data); err != nil || null {
		return err
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(data, &members) != nil {
		return nil // the schema says what it should be
	}
	for _, value := range members {
		if string(value) == "null" {
			return errors.New("a member of the body is null: leave it out")
		}
	}
	return nil
}
