//go:build ignore

// The real text/template, asked line by line: one JSON case in, one JSON result out.
//
//	{"text": "{{ .a }}", "data": {"a": 1}}  ->  {"output": "1"}
//
// Data arrives as it would from YAML: interface {} of string, int, float64, bool, nil, list and map. Lists have no room
// to spare, so that slicing one says nothing about how it was read. {"$float": "+Inf"} is a float that JSON cannot write.
//
// With the argument "printable" it prints the version of Unicode, and the lengths in base 36 of the runs of characters
// that strconv does not print as they are, does, does not, ...
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"text/template"
	"unicode"
	"unicode/utf8"
)

const longestOutput = 4 << 20

type testCase struct {
	Text string         `json:"text"`
	Data map[string]any `json:"data"`
}

type result struct {
	Output    *string `json:"output,omitempty"`
	OutputHex string  `json:"output_hex,omitempty"`
	Error     string  `json:"error,omitempty"`
	Missing   bool    `json:"missing,omitempty"`
	Line      int     `json:"line,omitempty"`
}

type boundedWriter struct{ strings.Builder }

func (w *boundedWriter) Write(p []byte) (int, error) {
	if w.Len()+len(p) > longestOutput {
		return 0, errors.New("oracle: too much output")
	}
	return w.Builder.Write(p)
}

func main() {
	if len(os.Args) > 1 && os.Args[1] == "printable" {
		printable()
		return
	}
	in := bufio.NewReader(os.Stdin)
	out := bufio.NewWriter(os.Stdout)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		answer, err := json.Marshal(run(line))
		if err != nil {
			panic(err)
		}
		out.Write(append(answer, '\n'))
		out.Flush()
	}
}

func run(line string) result {
	decoder := json.NewDecoder(strings.NewReader(line))
	decoder.UseNumber()
	var c testCase
	if err := decoder.Decode(&c); err != nil {
		panic(err)
	}
	t, err := template.New("").Option("missingkey=error").Parse(c.Text)
	if err != nil {
		return failed(err)
	}
	var w boundedWriter
	if err := t.Execute(&w, goValue(c.Data)); err != nil {
		return failed(err)
	}
	output := w.String()
	if !utf8.ValidString(output) {
		return result{OutputHex: hex.EncodeToString([]byte(output))}
	}
	return result{Output: &output}
}

func goValue(value any) any {
	switch value := value.(type) {
	case json.Number:
		if strings.ContainsAny(value.String(), ".eE") {
			f, err := value.Float64()
			if err != nil {
				panic(err)
			}
			return f
		}
		i, err := strconv.Atoi(value.String())
		if err != nil {
			panic(err)
		}
		return i
	case []any:
		list := make([]any, len(value))
		for i, element := range value {
			list[i] = goValue(element)
		}
		return list
	case map[string]any:
		if text, ok := value["$float"].(string); ok {
			f, err := strconv.ParseFloat(text, 64)
			if err != nil {
				panic(err)
			}
			return f
		}
		entries := make(map[string]any, len(value))
		for key, element := range value {
			entries[key] = goValue(element)
		}
		return entries
	}
	return value
}

var place = regexp.MustCompile(`^template: :(\d+):`)

func failed(err error) result {
	r := result{Error: err.Error()}
	r.Missing = strings.Contains(r.Error, "no entry for key") || strings.Contains(r.Error, "nil pointer evaluating")
	if match := place.FindStringSubmatch(r.Error); match != nil {
		r.Line, _ = strconv.Atoi(match[1])
	}
	return r
}

func printable() {
	fmt.Println(unicode.Version)
	shown, length := false, int64(0)
	for r := rune(0); r <= unicode.MaxRune; r++ {
		if strconv.IsPrint(r) != shown {
			fmt.Println(strconv.FormatInt(length, 36))
			shown, length = !shown, 0
		}
		length++
	}
}
