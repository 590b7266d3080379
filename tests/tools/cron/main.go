// Command cron says when schedules run, by the library of Kubernetes' CronJob controller.
//
// It reads lines of JSON from its standard input and answers each with one: `chain` holds the runs
// after `from`, one after the other, up to `until`; `next` the first run after each of `after`. All
// are seconds since the epoch, 0 stands for a schedule that never runs.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"
	"time"

	"github.com/robfig/cron/v3"
)

type question struct {
	Schedule string
	Zone     string
	From     int64
	Until    int64
	After    []int64
}

type answer struct {
	Chain []int64 `json:"chain"`
	Next  []int64 `json:"next"`
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<24)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	encoder := json.NewEncoder(out)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			log.Fatal(err)
		}
		// As the controller joins a CronJob's two fields.
		schedule, err := cron.ParseStandard("TZ=" + asked.Zone + " " + asked.Schedule)
		if err != nil {
			log.Fatal(asked.Schedule, ": ", err)
		}
		told := answer{Chain: []int64{}, Next: []int64{}}
		if asked.From < asked.Until {
			for at := seconds(schedule, asked.From); at != 0 && at <= asked.Until; at = seconds(schedule, at) {
				told.Chain = append(told.Chain, at)
			}
		}
		for _, after := range asked.After {
			told.Next = append(told.Next, seconds(schedule, after))
		}
		if err := encoder.Encode(told); err != nil {
			log.Fatal(err)
		}
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}

func seconds(schedule cron.Schedule, after int64) int64 {
	found := schedule.Next(time.Unix(after, 0).UTC())
	if found.IsZero() {
		return 0
	}
	return found.Unix()
}
