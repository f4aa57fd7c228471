package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"latchkey/latchkeytest"
	"latchkey/latchkeytest/port"
	"latchkey/storage"
	"latchkey/storage/failpoint/failpointtest"
	"latchkey/storage/postgres/postgrestest"
	"latchkey/storage/sqlite"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"latchkey": func() {
		failpointtest.Install()
		main()
	}})
}

// promptly is the environment in which a binary with the race detector does not sleep for a second before it ends.
const promptly = "GORACE=atexit_sleep_ms=20"

// quickly makes the scripts run commands that end by themselves with the binary of LATCHKEY_TEST_BINARY, if there is one, which starts in
// a quarter of the time. Servers stay this test binary, and so does what runs in parallel.
func quickly(e *testscript.Env) error {
	e.Vars = append(e.Vars, promptly)
	binary := os.Getenv(latchkeytest.BinaryVariable)
	if binary == "" {
		return nil
	}
	watched, err := exec.LookPath("latchkey")
	if err != nil {
		return err
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	folder, err := filepath.Abs("testdata/bin")
	if err != nil {
		return err
	}
	e.Setenv("WATCHED_BINARY", watched)
	e.Setenv("QUICK_BINARY", binary)
	e.Setenv("PATH", folder+string(filepath.ListSeparator)+e.Getenv("PATH"))
	return nil
}

// TestScripts runs the commands as processes of their own, each script in a folder of its own.
func TestScripts(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata", RequireExplicitExec: true, ContinueOnError: true, Cmds: scriptCommands(), Setup: quickly,
	})
}

// TestScriptsBothWays runs scripts on the database, and again through the API of a server that has it: where [remote] holds.
func TestScriptsBothWays(t *testing.T) {
	t.Parallel()
	for _, remote := range []bool{false, true} {
		t.Run(map[bool]string{false: "database", true: "server"}[remote], func(t *testing.T) {
			testscript.Run(t, testscript.Params{
				Dir: "testdata/both", RequireExplicitExec: true, ContinueOnError: true, Cmds: scriptCommands(),
				Condition: func(name string) (bool, error) { return name == "remote" && remote, nil }, Setup: quickly,
			})
		})
	}
}

// TestScriptsPostgres does the same with $POSTGRES (migrated) and $EMPTY_POSTGRES.
func TestScriptsPostgres(t *testing.T) {
	t.Parallel()
	testscript.Run(t, testscript.Params{
		Dir: "testdata/postgres", RequireExplicitExec: true, ContinueOnError: true, Cmds: scriptCommands(),
		Setup: func(e *testscript.Env) error {
			tb := e.T().(testing.TB)
			e.Setenv("POSTGRES", postgrestest.URL(tb))
			e.Setenv("EMPTY_POSTGRES", postgrestest.EmptyURL(tb))
			return quickly(e)
		},
	})
}

type scriptCommand = func(ts *testscript.TestScript, neg bool, args []string)

func scriptCommands() map[string]scriptCommand {
	return map[string]scriptCommand{
		"exits":      scriptExits,
		"freeport":   scriptFreePort,
		"ready":      scriptReady,
		"http":       scriptHTTP,
		"eventually": scriptEventually,
		"save":       scriptSave,
		"mode":       scriptMode,
		"parallel":   scriptParallel,
		"terminate":  scriptTerminate,
		"abandon":    scriptAbandon,
	}
}

// terminate [SIGNAL] sends SIGTERM, or SIGHUP, to what runs in the background.
func scriptTerminate(ts *testscript.TestScript, neg bool, args []string) {
	number := syscall.SIGTERM
	if slices.Equal(args, []string{"HUP"}) {
		number = syscall.SIGHUP
	}
	for _, cmd := range ts.BackgroundCmds() {
		if err := cmd.Process.Signal(number); err != nil && !errors.Is(err, os.ErrProcessDone) {
			ts.Fatalf("%v", err)
		}
	}
}

// abandon NAME RECIPIENT USER sets LETTER to the id of a letter about the user with an id that could not be delivered. It is in latchkey.db.
func scriptAbandon(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: abandon NAME RECIPIENT USER")
	}
	user, err := strconv.ParseInt(args[2], 10, 64)
	ts.Check(err)
	store, err := sqlite.Open(context.Background(), sqlite.Config{Path: ts.MkAbs("latchkey.db")})
	ts.Check(err)
	defer store.Close()
	l := &storage.UndeliveredLetter{Name: args[0], Recipient: args[1], UserID: user, LastError: "550 5.1.1 no such user", Attempts: 1}
	ts.Check(abandonLetter(context.Background(), store, time.Now().UTC(), l))
	ts.Setenv("LETTER", l.ID.String())
}

// exits STATUS PROGRAM ARGS… runs the program and wants that exit status.
func scriptExits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits STATUS PROGRAM ARGS…")
	}
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		got = exit.ExitCode()
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit status %d, want %s", got, args[0])
	}
}

// freeport NAME… sets each variable to a port that nobody listens on.
func scriptFreePort(ts *testscript.TestScript, neg bool, args []string) {
	for _, name := range args {
		free, err := port.Free()
		ts.Check(err)
		ts.Setenv(name, strconv.Itoa(free))
	}
}

// ready PORT waits for the server whose admin listener is at that port.
func scriptReady(ts *testscript.TestScript, neg bool, args []string) {
	deadline := time.Now().Add(latchkeytest.Patience)
	for time.Now().Before(deadline) {
		resp, err := http.Get("http://127.0.0.1:" + args[0] + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return
			}
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Fatalf("the server at port %s is not ready", args[0])
}

// http STATUS METHOD URL ['@NAME: VALUE'…] [NAME=VALUE… | JSON] sends a request with headers and a form or a JSON body and
// wants that status; the body of the answer goes to standard output.
func scriptHTTP(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: http STATUS METHOD URL [BODY…]")
	}
	status, answer := request(ts, args)
	fmt.Fprintf(ts.Stdout(), "%s\n", answer)
	if strconv.Itoa(status) != args[0] {
		ts.Fatalf("status %d, want %s: %s", status, args[0], answer)
	}
}

// request sends the request that the arguments of http describe.
func request(ts *testscript.TestScript, args []string) (status int, answer []byte) {
	body, kind, rest := "", "", args[3:]
	headers := http.Header{}
	for len(rest) > 0 && strings.HasPrefix(rest[0], "@") {
		name, value, _ := strings.Cut(rest[0][1:], ": ")
		headers.Set(name, value)
		rest = rest[1:]
	}
	if len(rest) > 0 && strings.HasPrefix(rest[0], "{") {
		body, kind = rest[0], "application/json"
	} else if len(rest) > 0 {
		form := url.Values{}
		for _, pair := range rest {
			name, value, _ := strings.Cut(pair, "=")
			form.Add(name, value)
		}
		body, kind = form.Encode(), "application/x-www-form-urlencoded"
	}
	if kind != "" {
		headers.Set("Content-Type", kind)
	}
	status, answer = send(ts, args[1], args[2], headers, body)
	// A machine that runs all tests at once may take longer for a password than the server lets another one wait.
	for tries := 0; tries < 20 && status == http.StatusServiceUnavailable && args[0] != "503"; tries++ {
		time.Sleep(time.Second)
		status, answer = send(ts, args[1], args[2], headers, body)
	}
	return status, answer
}

// eventually STATUS [!]TEXT METHOD URL … sends a request as http does, again and again, until the answer has that status and, in
// its body, that text (with !, not that text): a running server follows what another process changed within a second.
func scriptEventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 4 {
		ts.Fatalf("usage: eventually STATUS [!]TEXT METHOD URL [BODY…]")
	}
	text, not := strings.CutPrefix(args[1], "!")
	for end := time.Now().Add(latchkeytest.Patience); ; time.Sleep(20 * time.Millisecond) {
		status, answer := request(ts, append([]string{args[0]}, args[2:]...))
		if strconv.Itoa(status) == args[0] && strings.Contains(string(answer), text) != not {
			fmt.Fprintf(ts.Stdout(), "%s\n", answer)
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("status %d, want %s and %q in the body: %s", status, args[0], args[1], answer)
		}
	}
}

// send sends a request of a script.
func send(ts *testscript.TestScript, method, url string, headers http.Header, body string) (status int, answer []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	ts.Check(err)
	req.Header = headers
	resp, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	ts.Check(err)
	return resp.StatusCode, answer
}

// save NAME MEMBER sets the variable to a member of the JSON object in the last standard output; MEMBER may go
// through lists and objects, as in 0.id.
func scriptSave(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: save NAME MEMBER")
	}
	var value any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &value))
	for step := range strings.SplitSeq(args[1], ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			i, err := strconv.Atoi(step)
			if err != nil || i >= len(v) {
				ts.Fatalf("no member %s", step)
			}
			value = v[i]
		default:
			ts.Fatalf("no member %s", step)
		}
	}
	ts.Setenv(args[0], fmt.Sprint(value))
}

// mode FILE MODE wants the permissions of a file.
func scriptMode(ts *testscript.TestScript, neg bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("mode of %s is %s, want %s", args[0], got, args[1])
	}
}

// parallel N PROGRAM ARGS… runs the program N times at once, N in the arguments replaced by 1, 2, …; all must succeed.
func scriptParallel(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	program, err := exec.LookPath(args[1])
	ts.Check(err)
	var outputs []*bytes.Buffer
	var commands []*exec.Cmd
	for i := range n {
		out := &bytes.Buffer{}
		cmd := exec.Command(program)
		for _, arg := range args[1:] {
			cmd.Args = append(cmd.Args, strings.ReplaceAll(arg, "{}", strconv.Itoa(i+1)))
		}
		cmd.Args = cmd.Args[1:]
		cmd.Dir, cmd.Stdout, cmd.Stderr = ts.MkAbs("."), out, out
		ts.Check(cmd.Start())
		commands, outputs = append(commands, cmd), append(outputs, out)
	}
	for i, cmd := range commands {
		if err := cmd.Wait(); err != nil {
			ts.Fatalf("%d: %v: %s", i+1, err, outputs[i])
		}
	}
}
