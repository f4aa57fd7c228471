// Package failpoint names moments at which a test may kill the process, as kill -9 does: around each write, and after an answer was
// sent. In a binary that is built without the tag failpoint its functions are empty, and nothing of it is left; see TestFailpointsAreNotReleased
// in cmd/latchkey.
//
// The variable FAILPOINT names a folder. The file armed in it holds the point at which the process kills itself, such as
// "create grant/after", and "#2" for the second time; without that file, the points that are passed are appended to the file passed.
//
// pingcap/failpoint and etcd's gofail rewrite the source before a build. The points here are named by the operations of the stores, so
// that a new one has its points without another line, which neither can do.
package failpoint

// Moment is when, with regard to an operation.
type Moment string

// The moments of an operation.
const (
	Before Moment = "before" // nothing is written
	Within Moment = "within" // before each statement of a transaction
	After  Moment = "after"  // all is committed, and the caller does not know
)
