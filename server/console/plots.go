package console

import (
	"context"

	"latchkey/server/figures"
	"latchkey/server/web/panel"
)

// plotTitles are the texts of the kinds of events that are counted.
var plotTitles = map[string]string{
	"login": "console.plot.login", "login.refused": "console.plot.refused",
	figures.BrowserSessions: "console.plot.begun_browser", figures.DirectSessions: "console.plot.begun_direct",
	"session.ended": "console.plot.ended", "reuse.detected": "console.plot.reuse",
}

// plots shows what happened in the last day, by hours, and in the last month, by days.
func (h *Handlers) plots(ctx context.Context) (day, month panel.Section, err error) {
	day, month = panel.Section{Heading: "console.day"}, panel.Section{Heading: "console.month"}
	list, until, err := figures.Read(ctx, h.Store, h.Sessions.Now())
	if err != nil {
		return day, month, err
	}
	if until.IsZero() {
		day.Text, month.Text = "console.plot_none", "console.plot_none"
		return day, month, nil
	}
	day.Facts = []panel.Fact{{Name: "console.plot_until", Value: panel.At(until)}}
	for _, f := range list {
		day.Plots = append(day.Plots, panel.Plot{Title: plotTitles[f.Kind], Numbers: f.Hours, Until: until})
		month.Plots = append(month.Plots, panel.Plot{Title: plotTitles[f.Kind], Numbers: f.Days, Daily: true, Until: until})
	}
	return day, month, nil
}
