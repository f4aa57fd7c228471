package hatest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// previousRelease builds the last revision that has fewer migrations, the first of those that there are now. Without a history it
// returns "", and why.
func previousRelease(t *testing.T) (binary, why string) {
	t.Helper()
	git := func(args ...string) (string, error) {
		cmd := exec.Command("git", args...)
		cmd.Dir = ".."
		out, err := cmd.CombinedOutput()
		return strings.TrimSpace(string(out)), err
	}
	const folderOfMigrations = "migrations/postgres/"
	now, err := git("ls-tree", "--name-only", "HEAD", folderOfMigrations)
	if err != nil {
		return "", now
	}
	log, err := git("log", "--format=%H", "--", folderOfMigrations)
	if err != nil {
		return "", log
	}
	revision := ""
	for _, r := range strings.Fields(log) {
		then, err := git("ls-tree", "--name-only", r, folderOfMigrations)
		if err == nil && then != "" && len(then) < len(now) && strings.HasPrefix(now, then+"\n") {
			revision = r
			break
		}
	}
	if revision == "" {
		return "", "no revision has the first of the migrations"
	}
	folder := filepath.Join(t.TempDir(), "previous")
	if out, err := git("worktree", "add", "--quiet", "--detach", folder, revision); err != nil {
		return "", out
	}
	t.Cleanup(func() { git("worktree", "remove", "--force", folder) })
	binary = filepath.Join(t.TempDir(), "latchkey")
	cmd := exec.Command("go", "build", "-tags", "testclock", "-o", binary, "./cmd/latchkey")
	cmd.Dir, cmd.Env = folder, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", string(out)
	}
	t.Logf("the previous release is %s", revision[:10])
	return binary, ""
}

// releaseEvents lead from the previous release to this one, back, and forth. They come first: the drill begins with the previous one.
func releaseEvents() []event {
	return []event{
		{name: "migrations while the previous release serves", release: true, do: func(s *service) error {
			migrator := *s.replicas[0].Instance
			migrator.Binary = s.binary
			_, err := migrator.Run(s.m.t.Context(), "", "migrate", "up")
			return err
		}},
		{name: "upgraded from the previous release", release: true, do: func(s *service) error { return s.release(s.binary) }},
		{name: "downgraded to the previous release", release: true, do: func(s *service) error { return s.release(s.previous) }},
		{name: "upgraded once more", release: true, do: func(s *service) error { return s.release(s.binary) }},
	}
}

// release rolls the replicas to another binary.
func (s *service) release(binary string) error {
	for _, r := range s.replicas {
		r.Binary = binary
	}
	return s.roll(s.direct, "")
}
