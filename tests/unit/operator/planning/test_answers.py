from neuronspan_operator.planning import answers, journal


def test_answer_is_remembered_until_something_happens_on_its_node() -> None:
    changes = journal.Journal[str]()
    kept = answers.Answers[int](changes)
    kept.of("q", ()).update({"w1": 1, "w2": 2})
    assert kept.of("q", ()) == {"w1": 1, "w2": 2}
    changes.note("w1")
    assert kept.of("q", ()) == {"w2": 2}
    kept.of("q", ())["w1"] = 3
    assert kept.of("q", ()) == {"w1": 3, "w2": 2}


def test_all_answers_are_forgotten_when_what_they_were_made_from_changed() -> None:
    kept = answers.Answers[int](journal.Journal())
    kept.of("q", "before")["w1"] = 1
    assert kept.of("other", "before") == {}
    assert kept.of("q", "after") == {}


def test_all_answers_are_forgotten_when_the_journal_does_not_go_back_so_far() -> None:
    changes = journal.Journal[str]()
    kept = answers.Answers[int](changes)
    kept.of("q", ())["w1"] = 1
    for _ in range(2 * journal.KEPT + 1):
        changes.note("w2")
    assert kept.of("q", ()) == {}


def test_questions_that_are_remembered_have_a_bound() -> None:
    kept = answers.Answers[int](journal.Journal())
    for index in range(answers.MOST + 1):
        kept.of(index, ())["w1"] = index
    assert kept.of(0, ()) == {}
    assert kept.of(answers.MOST, ()) == {"w1": answers.MOST}
