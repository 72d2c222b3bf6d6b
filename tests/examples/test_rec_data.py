"""Recommenders on people's own data, by the command: names, tables, recipes, times. What is wrong is said with its
place; what is left out is counted.

usage: PUNA=... test_rec_data.py
"""

import json
import os
import pathlib
import random
import subprocess
import tempfile
import unittest

PUNA = os.environ["PUNA"]


class Case(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(
            content
            if isinstance(content, bytes)
            else (content if isinstance(content, str) else json.dumps(content)).encode()
        )
        return path

    def rec(self, *arguments, code=0):
        done = subprocess.run(
            [PUNA, "rec", *map(str, arguments)], capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL
        )
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def refused(self, sentence, *arguments, code=1):
        error = self.rec(*arguments, code=code).stderr
        self.assertIn(sentence, error)


class Tables(Case):
    """The same events in every form give the same figures as the plain file."""

    EVENTS = [(f"u{u}", f"i{(u * k + k * k) % 7}", 1147880000 + 7 * k + u) for u in range(6) for k in range(6)]

    def figures(self, name, content):
        return json.loads(self.rec("eval", "--data", self.write(name, content), "--baseline", "markov").stdout)

    def test_every_form_gives_the_same_figures(self):
        def table(between="\t", header="", quote="", time=str, end="\n"):
            rows = [between.join(quote + field + quote for field in (u, i, "5", time(t))) for u, i, t in self.EVENTS]
            return (header + end if header else "") + end.join(rows) + end

        plain = self.figures("plain.csv", table(","))
        self.assertEqual(plain["users"], 6)
        shuffled = list(self.EVENTS)
        random.Random(1).shuffle(shuffled)
        for name, content in {
            "bom.csv": b"\xef\xbb\xbf" + table(",").encode(),
            "bom_header.csv": b"\xef\xbb\xbf" + table(",", "user_id,item_id,rating,timestamp").encode(),
            "movielens.csv": table(",", "userId,movieId,rating,timestamp"),
            "quotes.csv": table(",", '"USER","ITEM","R","TIME"', '"'),
            "blank.csv": "\n\n" + table(","),
            "crlf.tsv": table("\t", end="\r\n"),
            "semicolons.csv": table(";"),
            "dat": table("::"),
            "milli.csv": table(",", time=lambda t: f"{t}250"),
            "micro.csv": table(",", time=lambda t: f"{t}250000"),
            "nano.csv": table(",", time=lambda t: f"{t}250000000"),
            "unsorted.csv": "user,item,timestamp\n" + "".join(f"{u},{i},{t}.5\n" for u, i, t in shuffled),
        }.items():
            with self.subTest(name):
                self.assertEqual(self.figures(name, content), plain)

    def test_events_within_a_second_are_in_their_order(self):
        rows = [f"{u},i{(u + 3 * k) % 7},100.{k}" for u in range(5) for k in range(5)]
        sorted_file = self.figures("a.csv", "user,item,timestamp\n" + "\n".join(rows) + "\n")
        random.Random(2).shuffle(rows)
        self.assertEqual(self.figures("b.csv", "user,item,timestamp\n" + "\n".join(rows) + "\n"), sorted_file)

    def test_what_is_wrong_is_said_with_its_line(self):
        for content, sentence in (
            ("user_id,item_id,timestamp\n1,2,3\n1,2,nan\n", "a.csv, line 3: 'nan' is no time"),
            ("a,b,c,d\n1,2,3,4\n", "name no columns"),
            ("user_id,item_id,timestamp\n1,2,3\n2,2,3\n", "none of 2 users has two events"),
            (b"\x1f\x8b\x08\x00", "a.csv is gzip,"),
            ("user_id,item_id,timestamp\n", "only the names of columns"),
        ):
            with self.subTest(sentence):
                self.refused(sentence, "eval", "--data", self.write("a.csv", content), "--baseline", "markov")

    def test_training_needs_a_user_with_three_events(self):
        self.refused(
            "no user has three events: two to learn from, and the last",
            "train",
            "--data",
            self.write("a.csv", "user,item,time\n1,a,1\n1,b,2\n"),
            "--out",
            self.folder / "run",
        )

    def test_the_unit_of_times_is_said(self):
        data = self.write("a.csv", "user,item,time\n1,a,1147880044000\n1,b,1147880045000\n")
        self.assertIn("times are milliseconds", self.rec("eval", "--data", data, "--baseline", "markov").stderr)


class ItemNames(Case):
    """A model keeps its items' names."""

    def setUp(self):
        super().setUp()
        self.rows = [f"u{u},item{(u + i) % 12:02},{100 * i}" for u in range(40) for i in range(8)]
        self.data = self.write("a.csv", self.table(self.rows))
        self.rec(
            "train",
            "--data",
            self.data,
            "--out",
            self.folder / "run",
            "--epochs",
            30,
            "--users",
            16,
            "--negatives",
            8,
            "--max-sequence",
            8,
            "--lr",
            "3e-3",
            "--evaluate-every",
            0,
            "-t",
            1,
        )
        self.model = self.folder / "run/model.safetensors"

    @staticmethod
    def table(rows):
        return "user_id,item_id,timestamp\n" + "\n".join(rows) + "\n"

    def best(self, data, user="u3", count=3):
        done = self.rec("recommend", self.model, "--data", data, "--user", user, "-n", count, "-t", 1)
        return [line.split("\t")[0] for line in done.stdout.splitlines()], done.stderr

    def test_another_catalogue_of_the_same_size_is_refused(self):
        renamed = self.write("b.csv", self.table([r.replace(",item", ",product") for r in self.rows]))
        for verb in (
            ["recommend", self.model, "--data", renamed, "--user", "u3"],
            ["eval", self.model, "--data", renamed],
        ):
            self.refused(
                "the model knows none of the data's 12 items ('product00', ...): its 12 are others ('item00', ...)",
                *verb,
            )

    def test_one_new_item_is_left_out_and_said(self):
        names, said = self.best(self.data, "u4")
        self.assertNotIn("does not know", said)
        grown = self.write("b.csv", self.table(self.rows + ["u3,NEW,9999", "u5,NEW,9999"]))
        self.assertEqual(len(self.best(grown)[0]), 3)  # of a user who took it
        again, said = self.best(grown, "u4")
        self.assertEqual(again, names)
        self.assertIn(
            "the model does not know 1 of the 13 items ('NEW'): 2 of 322 events are left out, of which 2 are their users' last",
            said,
        )
        figures = json.loads(self.rec("eval", self.model, "--data", grown).stdout)
        self.assertEqual((figures["users"], figures["targets_unknown"]), (40, 2))

    def test_items_are_mapped_by_their_names_whatever_their_numbers(self):
        """Fewer items, others before them, another order of rows: the same user gets the same list."""
        names, _ = self.best(self.data)
        self.assertEqual(names[0], "item11")
        rows = [r for r in self.rows if r.startswith("u3,")] + ["w,aaa,1", "w,item11,2"]
        random.Random(3).shuffle(rows)
        self.assertEqual(self.best(self.write("b.csv", self.table(rows)))[0], names)

    def test_a_user_without_known_items_and_a_user_that_is_not_there(self):
        grown = self.write("b.csv", self.table(self.rows + ["stranger,NEW,1"]))
        self.refused(
            "the model knows none of the items of user 'stranger'",
            "recommend",
            self.model,
            "--data",
            grown,
            "--user",
            "stranger",
        )
        self.refused("there is no user 'u400' in", "recommend", self.model, "--data", grown, "--user", "u400")
        self.refused("did you mean 'stranger'?", "recommend", self.model, "--data", grown, "--user", "strangr")

    def test_a_name_with_line_breaks_is_quoted_in_the_answer(self):
        rows = [f'{u},"a\n""{(u + i) % 12:02}""",{100 * i}' for u in range(20) for i in range(8)]
        data = self.write("b.csv", self.table(rows))
        self.rec(
            "train",
            "--data",
            data,
            "--out",
            self.folder / "odd",
            "--epochs",
            1,
            "--max-sequence",
            8,
            "--evaluate-every",
            0,
            "-t",
            1,
        )
        done = self.rec("recommend", self.folder / "odd/model.safetensors", "--data", data, "--user", 3, "-n", 1)
        self.assertRegex(done.stdout, '^"a\n""[01][0-9]"""\t[-0-9.]+\n$')

    def test_a_checkpoint_belongs_to_the_names(self):
        renamed = self.write("b.csv", self.table([r.replace(",item", ",product") for r in self.rows]))
        again = [
            "train",
            "--out",
            self.folder / "run",
            "--epochs",
            31,
            "--users",
            16,
            "--negatives",
            8,
            "--max-sequence",
            8,
            "--lr",
            "3e-3",
            "--evaluate-every",
            0,
            "-t",
            1,
            "--resume",
            "--data",
        ]
        self.refused("checkpoint.safetensors", *again, renamed)
        self.rec(*again, self.data)

    def test_a_model_without_names_is_taken_by_number_only_when_that_is_asked_for(self):
        """As an earlier version, or a program that numbers its items, wrote it."""
        whole = self.model.read_bytes()
        size = int.from_bytes(whole[:8], "little")
        header = json.loads(whole[8 : 8 + size])
        first, end = header.pop("item_names")["data_offsets"]
        self.assertEqual(end, len(whole) - 8 - size)
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        names, _ = self.best(self.data)
        self.model.write_bytes(len(text).to_bytes(8, "little") + text + whole[8 + size : 8 + size + first])
        self.refused("keeps no names of its items", "eval", self.model, "--data", self.data)
        done = self.rec("recommend", self.model, "--data", self.data, "--user", "u3", "-n", 3, "-t", 1, "--by-number")
        self.assertEqual([line.split("\t")[0] for line in done.stdout.splitlines()], names)
        self.refused(
            "they do not belong together",
            "eval",
            self.model,
            "--data",
            self.write("b.csv", self.table(self.rows + ["u3,NEW,9999"])),
            "--by-number",
        )
        self.model.write_bytes(whole)
        self.refused("--by-number is for models without", "eval", self.model, "--data", self.data, "--by-number")

    def test_a_tensor_that_nobody_reads_is_refused(self):
        whole = self.model.read_bytes()
        size = int.from_bytes(whole[:8], "little")
        header = json.loads(whole[8 : 8 + size])
        end = max(t["data_offsets"][1] for name, t in header.items() if name != "__metadata__")
        header["empty"] = {"dtype": "F32", "shape": [0], "data_offsets": [end, end]}
        text = json.dumps(header).encode()
        text += b" " * (-len(text) % 8)
        self.model.write_bytes(len(text).to_bytes(8, "little") + text + whole[8 + size :])
        self.refused("model.safetensors", "eval", self.model, "--data", self.data)

    def test_numbers_have_ranges_and_two_answers_are_not_one(self):
        train = ["train", "--data", self.data, "--out", self.folder / "x"]
        for flag, wrong in (
            ("--epochs", 0),
            ("--epochs", 2000000000),
            ("--lr", "nan"),
            ("--lr", "-1"),
            ("--lr", "1e9"),
            ("--dropout", "nan"),
            ("--dropout", 1),
            ("--negatives", 70000),
            ("--max-sequence", 0),
            ("--evaluate-every", -1),
            ("--users", 0),
            ("--pass-rows", 0),
        ):
            with self.subTest(flag=flag, wrong=wrong):
                self.refused(flag, *train, flag, wrong, code=2)
        self.refused("--window", "eval", self.model, "--data", self.data, "--window", 0, code=2)
        self.refused("both given", "eval", self.model, "--data", self.data, "--baseline", "markov")
        self.refused("--count", "recommend", self.model, "--data", self.data, "--user", "u3", "-n", 0, code=2)


class Recipes(Case):
    def setUp(self):
        super().setUp()
        draw = random.Random(5)
        rows = []
        for k in range(400):
            price = round(draw.lognormvariate(6, 1), 2)
            rows.append(
                f"u{draw.randrange(20)}\tv{k % 15}\t{price}\t{int(price > 400)}\t{draw.randrange(18, 80)}\t{5000000 - k}"
            )
        self.header = "user\titem\tprice\tclicked\tage\ttime"
        self.rows = rows
        self.table(rows)
        self.write(
            "i.csv", "item;genres\n" + "".join(f"v{i};{'Drama War' if i % 2 else 'Comedy'}\n" for i in range(15))
        )

    def table(self, rows):
        self.write("e.tsv", self.header + "\n" + "\n".join(rows) + "\n")

    def recipe(self, **changes):
        base = {
            "events": "e.tsv",
            "features": [{"column": "user"}, {"column": "item"}],
            "tasks": [{"name": "click", "column": "clicked", "at_least": 1}],
            "model": {"dim": 8, "hidden": [16]},
        }
        base.update(changes)
        return self.write("recipe.json", base)

    def command(self, recipe, *more):
        defaults = {"--epochs": 12, "--batch": 32, "--lr": "1e-2"}
        return [
            "rank",
            recipe,
            "--data",
            self.folder,
            "--out",
            self.folder / "out",
            "--overwrite",
            "-t",
            1,
            *more,
            *(word for flag, value in defaults.items() if flag not in more for word in (flag, value)),
        ]

    def auc(self, recipe, *more):
        return json.loads(self.rec(*self.command(recipe, *more)).stdout)[0]["unified"]["click"]["all"]["auc"]

    def config(self):
        whole = (self.folder / "out/ranker.safetensors").read_bytes()
        header = json.loads(whole[8 : 8 + int.from_bytes(whole[:8], "little")])
        return json.loads(header["__metadata__"]["config"]), header

    def test_keys_that_nobody_reads_name_the_nearest(self):
        task = {"name": "click", "column": "clicked", "at_least": 1}
        for changes, sentence in (
            (dict(surface={"column": "item"}), "surface: there is no such field, did you mean 'surfaces'?"),
            (
                dict(tasks=[{"name": "click", "column": "clicked", "atleast": 1}]),
                "tasks[0].atleast: there is no such field, did you mean 'at_least'?",
            ),
            (
                dict(features=[{"column": "user", "divid": 5}]),
                "features[0].divid: there is no such field, did you mean 'divide'?",
            ),
            (dict(model={"dims": 8}), "model.dims: there is no such field, did you mean 'dim'?"),
            (
                dict(tables=[{"file": "i.csv", "keys": "item"}]),
                "tables[0].keys: there is no such field, did you mean 'key'?",
            ),
            (
                dict(content={"feature": "item", "column": ["item"]}),
                "content.column: there is no such field, did you mean 'columns'?",
            ),
            (
                dict(surfaces={"column": "item", "group": [], "otherwise": "x"}),
                "surfaces.group: there is no such field, did you mean 'groups'?",
            ),
            (
                dict(surfaces={"column": "item", "groups": [{"nam": "x"}], "otherwise": "x"}),
                "groups[0].nam: there is no such field, did you mean 'name'?",
            ),
            (
                dict(numbers=[{"column": "price", "mising": 0}]),
                "numbers[0].mising: there is no such field, did you mean 'missing'?",
            ),
            (
                dict(features=[{"column": "usr"}]),
                "features[0].column: no table has a column 'usr', did you mean 'user'?",
            ),
            (dict(tasks=[task | {"divide": 2}]), "tasks[0].divide: expected no divide beside at_least"),
            (dict(tasks=[]), "tasks: expected at least one task"),
            (dict(features=[]), "features: expected at least one feature or number"),
            (dict(features=[{"column": "user", "many": 3}]), "features[0].many: expected true or false"),
            (dict(features=[{"column": "age", "divide": "five"}]), "features[0].divide: expected a number"),
            (dict(features=[{"column": "age", "divide": 0}]), "features[0].divide: expected a number above 0"),
            (dict(features=[{"column": "age", "divide": -5}]), "features[0].divide: expected a number above 0"),
            (dict(tasks=[task | {"at_least": "1"}]), "tasks[0].at_least: expected a number"),
            (dict(features={"column": "user"}), "features: expected a list"),
            (dict(events=["e.tsv"]), "events: expected a string"),
            (dict(numbers=["price", "price"]), "'price' is there twice"),
            (dict(features=[{"column": "user"}] * 2), "'user' is there twice"),
        ):
            with self.subTest(sentence):
                self.refused_recipe(sentence, **changes)

    def refused_recipe(self, sentence, *more, **changes):
        self.refused(sentence, *self.command(self.recipe(**changes), *more))

    def test_a_split_by_time_needs_a_time_and_follows_it(self):
        self.refused_recipe("--split time: the recipe names no column of times", "--split", "time")
        reports = {}
        for name, rows in {"as they are": self.rows, "the other way round": self.rows[::-1]}.items():
            self.table(rows)
            reports[name] = json.loads(
                self.rec(
                    *self.command(
                        self.recipe(time="time", features=[{"column": "user"}]), "--split", "time", "--epochs", 1
                    )
                ).stdout
            )
        judged = {name: r[0]["unified"]["click"]["all"]["base_rate"] for name, r in reports.items()}
        expected = sum(int(r.split("\t")[3]) for r in self.rows[:40]) / 40  # the latest tenth: times run backwards
        for name, rate in judged.items():
            self.assertAlmostEqual(rate, expected, msg=name)
        self.table(
            [r.rsplit("\t", 1)[0] + f"\t2026-01-01T00:{k // 60:02}:{k % 60:02}Z" for k, r in enumerate(self.rows)]
        )
        self.rec(*self.command(self.recipe(time="time"), "--split", "time", "--epochs", 1))
        self.table(self.rows[:-1] + ["", self.rows[-1].rsplit("\t", 1)[0] + "\t1147880044000"])
        self.refused_recipe(
            "e.tsv: the time '5000000' in line 2 is in seconds, '1147880044000' in line 402 in milliseconds",
            time="time",
        )
        self.table(self.rows[:-1] + [self.rows[-1].rsplit("\t", 1)[0] + "\tsoon"])
        self.refused_recipe("e.tsv, line 401, time: 'soon' is no time", time="time")

    def test_numbers_are_learned_from_at_their_scale(self):
        """What was clicked hangs on the price alone, which lies between tens and thousands."""
        self.assertLess(self.auc(self.recipe()), 0.7)
        for changes in (
            {"numbers": ["price"]},
            {"numbers": [{"column": "price"}]},
            {"features": [{"column": "user"}, {"column": "price", "numeric": True}]},
            {"model": {"dim": 8, "hidden": [16], "numbers": ["price"]}},
        ):
            with self.subTest(changes=changes):
                self.assertGreater(self.auc(self.recipe(**changes)), 0.9)
                (number,) = self.config()[0]["numbers"]
                prices = [float(r.split("\t")[2]) for r in self.rows]
                self.assertEqual(number["name"], "price")
                self.assertLess(
                    abs(number["mean"] / (sum(prices) / len(prices)) - 1), 0.2
                )  # of the part that is learned from
                self.assertGreater(number["scale"], 100)
        self.refused_recipe("a linear ranker does not look at numbers", "--interaction", "linear", numbers=["price"])

    def test_an_empty_number_is_what_the_recipe_says_or_an_error(self):
        self.table(self.rows[:-1] + [self.rows[-1].replace(self.rows[-1].split("\t")[2], "", 1)])
        self.refused_recipe(
            'e.tsv, line 401, price is empty: {"column": "price", "missing": NUMBER}', numbers=["price"]
        )
        done = self.rec(*self.command(self.recipe(numbers=[{"column": "price", "missing": 400}])))
        self.assertIn("'price' is empty in 1 of 400 events: taken for 400", done.stderr)

    def test_numbers_that_are_none_are_refused_with_line_and_column(self):
        fields = self.rows[6].split("\t")
        for column, at, changes in (
            ("clicked", 3, {}),
            ("price", 2, {"numbers": ["price"]}),
            ("age", 4, {"features": [{"column": "age", "divide": 5}]}),
        ):
            for wrong in ("nan", "inf", "1e300", "0x10", "5 stars", "-inf", "1e400"):
                with self.subTest(column=column, wrong=wrong):
                    self.table(self.rows[:6] + ["\t".join(fields[:at] + [wrong] + fields[at + 1 :])] + self.rows[7:])
                    self.refused_recipe(f"e.tsv, line 8, {column}: '{wrong}' is no number", **changes)
        self.table(self.rows[:6] + ["\t".join(fields[:4] + ["1e25"] + fields[5:])] + self.rows[7:])
        self.refused_recipe(
            "e.tsv, line 8, age: 1e+25 / 5 is no whole number of 64 bits", features=[{"column": "age", "divide": 5}]
        )
        self.table(self.rows[:6] + ["\t".join(fields[:3] + ["4"] + fields[4:])] + self.rows[7:])
        self.refused_recipe(
            "e.tsv, line 8, clicked: 4 is no outcome of 'click': expected 0 to 1",
            tasks=[{"name": "click", "column": "clicked"}],
        )

    def test_tables_are_joined_by_keys_that_are_there_once(self):
        both = {
            "tables": [{"file": "i.csv", "key": "item"}],
            "features": [{"column": "user"}, {"column": "genres", "many": True}],
        }
        self.rec(*self.command(self.recipe(**both), "--epochs", 1))
        config, header = self.config()
        self.assertEqual([f["rows"] for f in config["features"]], [20, 3])
        self.assertIn("vocabulary.1", header)
        self.write("i.csv", "item;genres\nv0;Drama\nv1;War\n")
        self.assertIn("i.csv has no row for", self.rec(*self.command(self.recipe(**both), "--epochs", 1)).stderr)
        self.write("i.csv", "item;genres\nv0;Drama\nv1;War\nv0;Comedy\n")
        self.refused_recipe("i.csv, line 4: item 'v0' is in line 2 already", **both)
        self.write("i.csv", "item;genres\nw0;Drama\n")
        self.refused_recipe("tables[0]: no event's item is in", **both)
        self.write("i.csv", "item;genres;price\nv0;Drama;5\n")
        self.refused_recipe("have a column 'price': call one of them something else", **(both | {"numbers": ["price"]}))
        self.write("i.csv", "item;genres;genres\nv0;Drama;5\n")
        self.refused_recipe("i.csv, line 1: two columns are called 'genres'", **both)
        self.write("i.csv", '"item";"genres"\n\n"v0";"Drama\nWar;""x"""\n"v1"\n')
        self.refused_recipe("i.csv, line 5: 1 columns, expected 2", **both)

    def test_values_of_groups_that_occur_nowhere_are_said(self):
        changes = {
            "tables": [{"file": "i.csv", "key": "item"}],
            "surfaces": {
                "column": "genres",
                "groups": [{"name": "sad", "any": ["Dramma"]}, {"name": "both", "any": ["Drama War"]}],
                "otherwise": "other",
            },
        }
        done = self.rec(*self.command(self.recipe(**changes), "--epochs", 1))
        self.assertIn("surface 'sad': no event's genres is 'Dramma', did you mean 'Drama'?", done.stderr)
        self.assertNotIn("'Drama War'", done.stderr)
        self.assertIn("both", json.loads(done.stdout)[0]["unified"]["click"])

    def test_between_many_values_may_lie_anything(self):
        self.write(
            "i.csv", "item;genres\n" + "".join(f"v{i};{'Sci Fi|War' if i % 2 else 'Comedy'}\n" for i in range(15))
        )
        self.rec(
            *self.command(
                self.recipe(tables=[{"file": "i.csv", "key": "item"}], features=[{"column": "genres", "many": "|"}]),
                "--epochs",
                1,
            )
        )
        self.assertEqual(self.config()[0]["features"][0]["rows"], 3)

    def test_a_ranker_keeps_what_its_ids_are_called(self):
        self.rec(
            *self.command(self.recipe(features=[{"column": "user"}, {"column": "age", "divide": 10}]), "--epochs", 1)
        )
        config, header = self.config()
        self.assertEqual(config["features"][1]["divide"], 10)
        whole = (self.folder / "out/ranker.safetensors").read_bytes()
        data = whole[8 + int.from_bytes(whole[:8], "little") :]
        names = [data[slice(*header[f"vocabulary.{f}"]["data_offsets"])].decode().split("\0")[:-1] for f in range(2)]
        self.assertEqual(names[0], list(dict.fromkeys(r.split("\t")[0] for r in self.rows)))
        self.assertEqual(set(names[1]), {"1", "2", "3", "4", "5", "6", "7"})

    def test_a_run_replaces_another_only_when_told_to(self):
        command = self.command(self.recipe(), "--epochs", 1)
        self.rec(*command)
        plain = [word for word in command if word != "--overwrite"]
        before = (self.folder / "out/ranker.safetensors").read_bytes()
        self.refused("holds a run of before: there is ranker.safetensors. --overwrite begins anew", *plain, "--seed", 7)
        self.assertEqual((self.folder / "out/ranker.safetensors").read_bytes(), before)
        (self.folder / "out/surfaces.svg").write_text("of a run with --apart")
        self.rec(*command, "--seed", 7)
        self.assertNotEqual((self.folder / "out/ranker.safetensors").read_bytes(), before)
        self.assertFalse((self.folder / "out/surfaces.svg").exists())

    def test_flags_have_ranges_and_words_are_told_early(self):
        for flag, wrong in (
            ("--epochs", 0),
            ("--lr", "nan"),
            ("--table-lr", 0),
            ("--table-decay", -1),
            ("--dropout", 1),
            ("--decay", "inf"),
            ("--batch", 0),
            ("--seeds", 0),
            ("--patience", 0),
        ):
            with self.subTest(flag=flag):
                self.refused(flag, *self.command(self.recipe()), flag, wrong, code=2)
        self.refused_recipe("--calibrate is 'plat'", "--calibrate", "plat", "--epochs", 100000000)
        self.table(self.rows[:9])
        self.refused_recipe("there are 9 events, expected at least 10")


if __name__ == "__main__":
    unittest.main()
