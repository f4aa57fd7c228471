module latchkey/applicationtest

go 1.26.0

require (
	golang.org/x/net v0.61.0
	latchkey v0.0.0
)

replace latchkey => ../
