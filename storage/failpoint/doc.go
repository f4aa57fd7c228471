// Package failpoint names moments at which a test may kill the process, as kill -9 does: around each write, and after an answer was
// sent. Package failpointtest sets what happens then, and only the tests of cmd/latchkey import it: in a released binary nothing does.
//
// pingcap/failpoint and etcd's gofail rewrite the source before a build. The points here are named by the operations of the stores, so
// that a new one has its points without another line, which neither can do.
package failpoint
