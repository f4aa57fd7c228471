// Package hatest runs the reference deployment of deploy/ on one machine and breaks it under traffic: etcd, three Postgres under
// Patroni with synchronous replication, HAProxy, PgBouncer, and three Latchkeys, as plain processes on loopback.
//
// Clients of every rotation policy do as they are told: they try again on 503 with Retry-After and on errors of the connection. Each
// event is a row of a table:
//
//   - LOST: sessions of such clients that ended
//   - RESURRECTED: tokens that worked after their end had been acknowledged
//   - ODD: answers that are neither 2xx, nor 503 with Retry-After, nor an error of the connection
//   - gap: the longest time in which no request of any client succeeded
//   - recovery: from the event until every client had a success that it did not wait for
//   - keys: the longest time in which the key set was not served
//
// LOST and RESURRECTED must be 0. The variable LATCHKEY_TEST_HA is short or long (make test-ha-short, make test-ha); without it the
// test is skipped. Missing programs are installed from Debian's packages, as root.
package hatest
