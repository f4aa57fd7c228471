// Package outbox sends what has to reach someone else though this process may die: at least once, by one of any number of workers,
// retried with growing delays, and dropped with a warning.
//
// [Worker] is the loop: it claims what is due and sends it, some at once. [Sender] is a Worker for the rows of one kind in storage.Outbox,
// such as "mail".
// What was dropped is kept for operators where the kind of message has an [Undelivered].
package outbox
