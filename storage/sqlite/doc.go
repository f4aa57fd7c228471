// Package sqlite keeps Latchkey's rows in one SQLite file.
//
// One connection writes, several read. A write is committed when its method returns, and the commit has reached the
// disk (WAL, synchronous=FULL); writes that wait for each other share a commit. Any number of processes may have the
// file open: the command line works beside a running server.
package sqlite
