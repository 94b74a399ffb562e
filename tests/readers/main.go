// Reads LoadTests as others do: by kstatus, as Flux and Helm 4 wait, and by a Lua health check, as
// Argo CD runs it. From the standard input comes one JSON document with the script and the objects;
// to the standard output goes one with what is made of each.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
)

// Asked is what is read.
type Asked struct {
	// Script is the Lua of resource.customizations.health.
	Script string `json:"script"`
	// Objects are LoadTests as the API server gives them.
	Objects []map[string]any `json:"objects"`
}

// Answer is what is made of one object.
type Answer struct {
	Kstatus Reading `json:"kstatus"`
	Argo    Reading `json:"argo"`
}

// Reading is a status with its message.
type Reading struct {
	Status  string `json:"status"`
	Message string `json:"message"`
}

func main() {
	log.SetFlags(0)
	var asked Asked
	if err := json.NewDecoder(os.Stdin).Decode(&asked); err != nil {
		log.Fatalf("cannot read what is asked: %v", err)
	}
	answers := make([]Answer, 0, len(asked.Objects))
	for index, object := range asked.Objects {
		answer, err := read(asked.Script, object)
		if err != nil {
			log.Fatalf("object %d: %v", index, err)
		}
		answers = append(answers, answer)
	}
	if err := json.NewEncoder(os.Stdout).Encode(answers); err != nil {
		log.Fatalf("cannot write the answers: %v", err)
	}
}

func read(script string, object map[string]any) (Answer, error) {
	argo, err := health(script, object)
	if err != nil {
		return Answer{}, err
	}
	// JSON numbers have to be integers where kstatus looks for such.
	text, err := json.Marshal(object)
	if err != nil {
		return Answer{}, err
	}
	var typed unstructured.Unstructured
	if err := typed.UnmarshalJSON(text); err != nil {
		return Answer{}, err
	}
	result, err := status.Compute(&typed)
	if err != nil {
		return Answer{}, err
	}
	return Answer{
		Kstatus: Reading{Status: result.Status.String(), Message: result.Message},
		Argo:    argo,
	}, nil
}

// What a health check may say.
var healths = map[string]bool{
	"Healthy": true, "Progressing": true, "Degraded": true, "Suspended": true,
}

// health runs the script in an interpreter with no more than the libraries that Argo CD opens: base,
// table and package, not string, io or os. It has a second.
func health(script string, object map[string]any) (Reading, error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage,
		lua.BaseLibName: lua.OpenBase,
		lua.TabLibName:  lua.OpenTable,
	} {
		err := state.CallByParam(
			lua.P{Fn: state.NewFunction(open), NRet: 0, Protect: true},
			lua.LString(name),
		)
		if err != nil {
			return Reading{}, err
		}
	}
	limit, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	state.SetContext(limit)
	state.SetGlobal("obj", toLua(state, object))
	if err := state.DoString(script); err != nil {
		return Reading{}, err
	}
	table, isTable := state.Get(-1).(*lua.LTable)
	if !isTable {
		return Reading{}, fmt.Errorf("the health check returns a %s, not a table", state.Get(-1).Type())
	}
	reading := Reading{
		Status:  lua.LVAsString(table.RawGetString("status")),
		Message: lua.LVAsString(table.RawGetString("message")),
	}
	if !healths[reading.Status] {
		return Reading{}, fmt.Errorf("%q is not a health", reading.Status)
	}
	return reading, nil
}

func toLua(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case bool:
		return lua.LBool(value)
	case float64:
		return lua.LNumber(value)
	case string:
		return lua.LString(value)
	case []any:
		table := state.NewTable()
		for _, item := range value {
			table.Append(toLua(state, item))
		}
		return table
	case map[string]any:
		table := state.NewTable()
		for key, item := range value {
			table.RawSetString(key, toLua(state, item))
		}
		return table
	default:
		return lua.LNil
	}
}
