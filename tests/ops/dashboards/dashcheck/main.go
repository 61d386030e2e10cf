// dashcheck FILE...: reads Grafana dashboards with Grafana's own types, strictly, and prints what does not fit them.
//
// Grafana itself is lenient: a misspelt field is dropped in silence, and the panel shows something else than was meant. The
// types are those of the foundation SDK, which also knows the options of each kind of panel.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

// said gives nil for an error without a text: the SDK returns an empty list of errors as one.
func said(err error) error {
	if err == nil || err.Error() == "" {
		return nil
	}
	return err
}

func check(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var board dashboard.Dashboard
	if err := said(board.UnmarshalJSONStrict(text)); err != nil {
		return err
	}
	if len(board.Panels) == 0 {
		return errors.New("there is no panel in it")
	}
	if err := said(board.Validate()); err != nil {
		return err
	}
	return checkFields(text)
}

// checkFields reads each panel's fieldConfig once more: as a part of a panel the SDK reads it leniently.
func checkFields(text []byte) error {
	var board struct {
		Panels []struct {
			Title       string          `json:"title"`
			FieldConfig json.RawMessage `json:"fieldConfig"`
		} `json:"panels"`
	}
	if err := json.Unmarshal(text, &board); err != nil {
		return err
	}
	for _, panel := range board.Panels {
		var config dashboard.FieldConfigSource
		if err := said(config.UnmarshalJSONStrict(panel.FieldConfig)); err != nil {
			return fmt.Errorf("panel %q: fieldConfig.%w", panel.Title, err)
		}
	}
	return nil
}

func run(paths []string, out io.Writer) (refused int) {
	for _, path := range paths {
		if err := check(path); err != nil {
			refused++
			fmt.Fprintf(out, "%s: %v\n", path, err)
		}
	}
	return refused
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: dashcheck DASHBOARD.json...")
		os.Exit(2)
	}
	plugins.RegisterDefaultPlugins()
	if run(os.Args[1:], os.Stdout) > 0 {
		os.Exit(1)
	}
}
