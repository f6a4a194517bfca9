"""Who is to blame for a dead engine."""

from __future__ import annotations

from realbot.suspects import Suspects


def test_G7_two_deaths_put_a_job_aside():
    suspects = Suspects()
    assert suspects.died("a") == "again"
    assert suspects.died("a") == "aside"


def test_G7_a_picture_in_between_by_the_job_itself_clears_it():
    suspects = Suspects()
    assert suspects.died("a") == "again"
    suspects.survived("a")
    assert suspects.died("a") == "again"


def test_G7_a_picture_by_another_job_does_not_clear_it():
    suspects = Suspects()
    assert suspects.died("a") == "again"
    suspects.survived("b")
    assert suspects.died("a") == "aside"


def test_G7_deaths_before_a_restart_of_the_bot_count():
    suspects = Suspects()
    suspects.load("a", 1)
    assert suspects.died("a") == "aside"


def test_G9_when_three_different_jobs_die_in_a_row_it_is_the_engine():
    suspects = Suspects()
    assert suspects.died("a") == "again"
    assert suspects.died("a") == "aside"
    assert suspects.died("b") == "again"
    assert suspects.died("c") == "sick"
    assert suspects.died("a") == "again"


def test_G9_a_job_that_ended_bears_no_witness():
    suspects = Suspects()
    suspects.died("a")
    suspects.died("b")
    suspects.forget("b")
    assert suspects.died("c") == "again"
