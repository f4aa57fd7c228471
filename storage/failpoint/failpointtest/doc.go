// Package failpointtest kills the process of a test at the points of package failpoint.
package failpointtest
