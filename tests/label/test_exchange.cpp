// Labels from files and to files: what is read, what is said of what is not, and that what goes out comes in again.
#include <algorithm>
#include <chrono>

#include "base/json.h"
#include "puna/label/exchange.h"
#include "puna/label/infer.h"
#include "support/catch.h"
#include "support/files.h"
#include "support/status.h"

using namespace puna;
using namespace puna::label;
using namespace puna::test;

namespace {

ImportReport take(LabelStore& store, const std::string& text, const std::string& file = "crowd.csv",
                  ImportOptions options = {}) {
  if (options.now == 0) options.now = 1000;
  return import_labels(store, text, file, options);
}

std::string give(LabelStore& store, Format format, ExportOptions options = {}) {
  options.format = format;
  std::string text;
  export_labels(store, store.project(""), options, [&](std::string_view part) { text += part; });
  return text;
}

std::string refusal(const std::string& text, const std::string& file = "f.csv", ImportOptions options = {}) {
  const auto store = open_label_store(":memory:");
  const std::string message = message_of([&] { take(*store, text, file, options); });
  CHECK((message.empty() || store->projects().empty()));  // all or nothing
  return message;
}

bool says(const std::string& text, const std::string& part) {
  CAPTURE(text);
  return text.find(part) != text.npos;
}

constexpr char kCrowd[] =
    "task,worker,label,truth,comment\n"
    "a,w1,cat,cat,sure\n"
    "a,w2,dog,cat,\n"
    "\"b, \"\"c\"\"\",w1,dog,,\n"
    "d,w3,cat,dog,\n";

// Two annotations, one of them cancelled, a prediction; and a task with a result that means nothing to us.
constexpr char kTasks[] = R"([
{"id": 12, "data": {"text": "a cat", "n": 1.50}, "annotations": [
  {"id": 1, "completed_by": 3, "result": [{"id": "x", "from_name": "c", "to_name": "t", "type": "choices", "value": {"choices": ["cat"]}}],
   "was_cancelled": false, "ground_truth": false, "lead_time": 3.5, "created_at": "2026-01-02T03:04:05.678Z"},
  {"id": 2, "completed_by": {"id": 9, "email": "b@x"}, "result": [], "was_cancelled": true}],
 "predictions": [{"model_version": "m1", "score": 0.75, "result": [{"type": "choices", "value": {"choices": ["dog"]}}]}],
 "meta": {"k": [1, 2]}, "file_upload": "x.txt"},
{"id": 13, "data": {"text": "boxes \u00e9"}, "annotations": [
  {"id": 4, "completed_by": 3, "ground_truth": true,
   "result": [{"type": "rectanglelabels", "value": {"x": 1e2}}, {"type": "choices", "value": {"choices": ["dog"]}}]},
  {"id": 5, "completed_by": 4, "result": [{"type": "rectanglelabels", "value": {"x": 7}}]}], "predictions": []}
])";

}  // namespace

TEST_CASE("a table of answers is read by its columns' names", "[label]") {
  const auto store = open_label_store(":memory:");
  const ImportReport r = take(*store, kCrowd);
  CHECK((r.made && r.project.name == "crowd" && r.rows == 4 && r.items == 3 && r.labels == 4 && r.truths == 2));
  REQUIRE(r.notes.size() == 1);
  CHECK(says(r.notes[0], "not read: 'comment'"));
  const Answers a = answers_of(*store, store->project(""), false);
  CHECK(a.items == std::vector<std::string>{"a", "b, \"c\"", "d"});
  CHECK(a.labels == std::vector<std::string>{"cat", "dog"});
  CHECK(a.truth == std::vector<int32_t>{0, kUnknown, 1});
  CHECK(a.answers.size() == 4);
  CHECK(give(*store, Format::csv) ==
        "item,annotator,label,truth,gold\na,w1,cat,cat,\na,w2,dog,cat,\n\"b, \"\"c\"\"\",w1,dog,,\nd,w3,cat,dog,\n");
}

TEST_CASE("columns of other names, and columns that are data, are named by options", "[label]") {
  const auto store = open_label_store(":memory:");
  ImportOptions o;
  o.item = "q";
  o.annotator = "who";
  o.label = "says";
  o.gold = "sure";
  o.data = {"text"};
  o.project = "mine";
  const ImportReport r = take(*store, "q;who;says;sure;text\n1;x;yes;;\"a; b\"\n1;y;no;no;\"a; b\"\n", "t.csv", o);
  CHECK((r.items == 1 && r.labels == 3 && r.golds == 1 && r.notes.empty()));
  CHECK(store->find(r.project.id, "1")->data == "{\"text\":\"a; b\"}");
  const Answers a = answers_of(*store, r.project, false);
  CHECK(a.labels[size_t(a.gold[0])] == "no");
  o.label = "say";
  CHECK(says(refusal("q,who,says,sure,text\n1,x,yes,,b\n", "t.csv", o),
             "there is no column 'say' (--label), did you mean 'says'?"));
}

TEST_CASE("the same file a second time adds nothing", "[label]") {
  const auto store = open_label_store(":memory:");
  take(*store, kCrowd);
  const ImportReport again = take(*store, kCrowd);
  CHECK((again.labels == 0 && again.repeated == 4 && !again.made));
  CHECK(says(again.notes[0], "4 labels were there already"));
  CHECK(answers_of(*store, store->project(""), false).answers.size() == 4);
  // Another file with one more answer of a worker: it counts beside the first.
  take(*store, "item,annotator,label\na,w1,dog\n", "more.csv");
  CHECK(answers_of(*store, store->project(""), false).repeated == 1);
}

TEST_CASE("JSON lines go out and come in again as the same", "[label]") {
  const auto store = open_label_store(":memory:");
  const std::string lines = R"({"item":"a","data":{"text":"x \u00e9","n":[1,2]},"truth":"cat","labels":[)"
                            R"({"annotator":"w1","label":"cat","time":5,"seconds":1.5},)"
                            R"({"annotator":"m","kind":"model","label":"dog","time":6,"score":0.25},)"
                            R"({"annotator":"judge","kind":"gold","label":"dog","gold":true,"time":7}]})"
                            "\n{\"item\":\"b\"}\n";
  const ImportReport r = take(*store, lines, "x.jsonl");
  CHECK((r.items == 2 && r.labels == 3 && r.golds == 1));
  CHECK(give(*store, Format::jsonl) == lines);
  const Answers people = answers_of(*store, r.project, false), all = answers_of(*store, r.project, true);
  CHECK((people.answers.size() == 1 && all.answers.size() == 2));
  CHECK(people.labels[size_t(people.gold[0])] == "dog");
}

TEST_CASE("a line may be an answer, and an item without a name is named by its line", "[label]") {
  const auto store = open_label_store(":memory:");
  ImportOptions o;
  o.data = {"*"};
  o.by = "me";
  const ImportReport r =
      take(*store, "{\"id\": 7, \"label\": \"x\", \"text\": \"t\"}\n{\"text\": \"u\"}\n", "x.jsonl", o);
  CHECK(store->find(r.project.id, "7")->data == "{\"text\":\"t\"}");
  CHECK(store->find(r.project.id, "2")->data == "{\"text\":\"u\"}");
  CHECK(r.labels == 1);
  const ImportReport named = take(*store, "{\"id\": 8, \"colour\": 1}", "y.jsonl");
  CHECK(says(named.notes[0], "not read: 'colour'"));
}

TEST_CASE("every type of label is read from words and from JSON", "[label]") {
  const auto value = [](const char* type, const std::string& json, std::vector<std::string> labels = {}) {
    const auto store = open_label_store(":memory:");
    ImportOptions o;
    o.type = type_of(type);
    o.labels = std::move(labels);
    const ImportReport r = take(*store, "{\"item\":1,\"annotator\":\"w\",\"label\":" + json + "}", "x.jsonl", o);
    std::string got;
    store->each_label(r.project.id, false, [&](const Label& l) { got = l.value; });
    return got;
  };
  CHECK(value("choice", "\"a\"") == "\"a\"");
  CHECK(value("choice", "3") == "\"3\"");
  CHECK(value("multi_choice", "[\"b\", \"a\", \"b\"]") == "[\"a\",\"b\"]");
  CHECK(value("pairwise", "\"left\"") == "\"left\"");
  CHECK(value("rating", "4.0") == "4");
  CHECK(value("text", "\"free \\u00e9\"") == "\"free \u00e9\"");
  CHECK(value("spans", R"([{"end": 3, "start": 1, "label": "x", "text": "bc"}])") ==
        R"([{"start":1,"end":3,"label":"x"}])");
  const auto wrong = [&](const char* type, const std::string& json, std::vector<std::string> labels = {}) {
    return message_of([&] { value(type, json, labels); });
  };
  CHECK(says(wrong("pairwise", "\"lft\""),
             "x.jsonl, line 1: \"label\" is 'lft', expected left, right or tie, did you mean 'left'?"));
  CHECK(says(wrong("choice", "\"caat\"", {"cat", "dog"}), "none of the project's labels, did you mean 'cat'?"));
  CHECK(says(wrong("rating", "\"good\""), "is 'good', expected a number"));
  CHECK(says(wrong("text", "5"), "expected a text"));
  CHECK(says(wrong("spans", R"([{"start": 3, "end": 3, "label": "x"}])"), "without \"start\" before \"end\""));
  CHECK(says(wrong("spans", R"([{"start": 3, "end": 4, "labl": "x"}])"), "a span with \"labl\""));
}

TEST_CASE("Label Studio's tasks are read, and go out as they came, with what nobody here understands", "[label]") {
  const auto store = open_label_store(":memory:");
  const ImportReport r = take(*store, kTasks, "ls.json");
  CHECK((r.project.type == Type::choice && r.items == 2 && r.golds == 1 && r.carried == 2));
  const Answers a = answers_of(*store, r.project, false);
  CHECK(a.answers.size() == 2);
  CHECK(a.labels[size_t(a.gold[1])] == "dog");
  CHECK(answers_of(*store, r.project, true).answers.size() == 3);
  const OrderedJson out = parse_ordered_json(give(*store, Format::label_studio), "out");
  CHECK(Json::parse(out.dump()) == Json::parse(kTasks));  // as values; keys of an object have no order
  // Once more through a store of its own.
  const auto second = open_label_store(":memory:");
  take(*second, give(*store, Format::label_studio), "ls.json");
  CHECK(give(*second, Format::label_studio) == give(*store, Format::label_studio));
}

TEST_CASE("labels made here become Label Studio's annotations, and come back as they were", "[label]") {
  const std::string files[] = {
      R"({"item":"a","data":{"t":1},"labels":[{"annotator":"7","label":"cat","time":1000},{"annotator":"x y","label":"dog","time":1000,"seconds":2.5}]})",
      R"({"item":"a","data":{"t":1},"labels":[{"annotator":"7","label":["a","b"],"time":1000}]})",
      R"({"item":"a","data":{"t":1},"labels":[{"annotator":"7","label":"left","time":1000}]})",
      R"({"item":"a","data":{"t":1},"labels":[{"annotator":"7","label":4,"time":1000}]})",
      R"({"item":"a","data":{"t":1},"labels":[{"annotator":"7","label":"some \"text\"","time":1000}]})",
      R"({"item":"a","data":{"t":1},"labels":[{"annotator":"7","label":[{"start":0,"end":2,"label":"p"},{"start":5,"end":6,"label":"q"}],"time":1000}]})",
  };
  for (size_t type = 0; type < std::size(files); ++type) {
    CAPTURE(kTypeNames[type]);
    const auto store = open_label_store(":memory:"), back = open_label_store(":memory:");
    ImportOptions o;
    o.type = Type(type);
    take(*store, files[type], "x.jsonl", o);
    CHECK(take(*back, give(*store, Format::label_studio), "ls.json").project.type == Type(type));
    CHECK(give(*back, Format::jsonl) == files[type] + "\n");
  }
}

TEST_CASE("lines for training are made of decided items, and it is said what is left out", "[label]") {
  const auto store = open_label_store(":memory:");
  ImportOptions o;
  o.type = Type::pairwise;
  take(*store,
       R"({"item":1,"data":{"prompt":"p","left":"L","right":"R"},"labels":[{"annotator":"w","label":"right"}]}
{"item":2,"data":{"prompt":[{"role":"user","content":"q"}],"left":"L2","right":"R2"},"labels":[{"annotator":"w","label":"left"}]}
{"item":3,"data":{"prompt":"t","left":"L","right":"R"},"labels":[{"annotator":"w","label":"tie"}]}
{"item":4,"data":{"prompt":"no sides"},"labels":[{"annotator":"w","label":"left"}]}
{"item":5,"data":{"prompt":"undecided","left":"L","right":"R"}})",
       "x.jsonl", o);
  ExportOptions e;
  e.format = Format::dpo;
  std::map<std::string, std::string> decided = {
      {"1", "\"right\""}, {"2", "\"left\""}, {"3", "\"tie\""}, {"4", "\"left\""}};
  e.resolved = [&](const Item& item) { return decided[item.key]; };
  std::string lines;
  const ExportReport r = export_labels(*store, store->project(""), e, [&](std::string_view part) { lines += part; });
  CHECK(lines ==
        "{\"prompt\":\"p\",\"chosen\":\"R\",\"rejected\":\"L\"}\n"
        "{\"prompt\":[{\"role\":\"user\",\"content\":\"q\"}],\"chosen\":\"L2\",\"rejected\":\"R2\"}\n");
  CHECK(r.notes == std::vector<std::string>{"1 items are ties: left out", "1 items are undecided: left out",
                                            "1 items have no \"left\" in their data: left out"});
  e.format = Format::sft;
  lines.clear();
  decided = {{"2", "\"left\""}};
  export_labels(*store, store->project(""), e, [&](std::string_view part) { lines += part; });
  CHECK(lines ==
        "{\"prompt\":[{\"role\":\"user\",\"content\":\"q\"}],\"completion\":[{\"role\":\"assistant\",\"content\":"
        "\"left\"}]}\n");
}

TEST_CASE("what is wrong with a file is said with its line, and nothing of the file stays", "[label]") {
  CHECK(says(refusal("item,annotator,label\na,w,x\nb,w\n"), "f.csv, line 3: 2 fields, expected 3"));
  CHECK(says(refusal("item,annotator,label\n,w,x\n"), "line 2: column 'item' is empty"));
  CHECK(says(refusal("item,truth\na,x\na,x\na,y\n"), "line 4: item 'a' has the truth \"y\", and \"x\" in line 2"));
  CHECK(says(refusal("item,label\na,x\n"), "there is no column annotator (or worker)"));
  CHECK(says(refusal("thing,annotator,label\na,w,x\n"),
             "there is no column item (or task): it has 'thing', 'annotator', 'label'"));
  CHECK(says(refusal("item,task,annotator,label\na,a,w,x\n"), "'item', 'task' could both be meant, expected --item"));
  CHECK(says(refusal(R"({"item":"a","worker":"w","annotator":"v","label":"x"})", "f.jsonl"),
             "line 1: \"annotator\" and another key name the annotator: --annotator says which"));
  CHECK(says(refusal(R"({"item":"a","worker":"w","label":"x","answer":"y"})", "f.jsonl"),
             "\"answer\" and another key name the label"));
  CHECK(says(refusal(R"({"item":"a","labels":[{"worker":"w","annotator":"v","label":"x"}]})", "f.jsonl"),
             "\"annotator\" and another key name the annotator, one of them has to go"));
  CHECK(says(refusal("item,annotator,label\na,w,\"x\n"), "a quote opens a field and none closes it"));
  CHECK(says(refusal("item,annotator,label\na,w,\xff\n"), "line 2: byte 0xff is no UTF-8"));
  CHECK(says(refusal(std::string("item,annotator,label\na,w,\0\n", 27)), "line 2: there is a NUL"));
  CHECK(says(refusal("{\"item\": 1, \"label\": \"x\"}", "f.jsonl"), "line 1: a label without \"annotator\""));
  CHECK(says(refusal("{\"item\": 1}\n{\"item\": 2", "f.jsonl"), "line 2, column 11"));
  CHECK(says(refusal("{\"item\": 1, \"labels\": [{\"annotator\": \"w\"}]}", "f.jsonl"),
             "one of \"labels\" has no \"label\""));
  CHECK(says(refusal("[{\"data\": {}, \"annotations\": [7]}]", "f.json"), "\"annotations\" has a number"));
  CHECK(says(refusal("[{\"data\": {}, \"annotations\": []}, {\"data\": 1}]", "f.json"), "\"data\" is a number"));
  CHECK(says(refusal("", "f.csv"), "is empty"));
  std::string deep = "{\"item\": 1, \"data\": ";
  for (int i = 0; i < 100'000; ++i) deep += '[';
  CHECK(says(refusal(deep, "f.jsonl"), "f.jsonl, line 1"));
  CHECK(
      says(refusal("{\"item\": 1, \"annotator\": \"w\", \"label\": \"" + std::string(10 << 20, 'x') + "\"", "f.jsonl"),
           "f.jsonl, line 1"));
}

TEST_CASE("an item with two gold labels in one file is refused with both lines, whatever the format", "[label]") {
  ImportOptions gold;
  gold.kind = Kind::gold;
  CHECK(says(refusal("item,gold\na,good\nb,good\na,bad\n"),
             "f.csv, line 4: item 'a' has the gold label \"bad\", and \"good\" in line 2"));
  CHECK(says(refusal("item,annotator,label\na,w1,x\na,w2,y\n", "f.csv", gold), "line 3: item 'a' has the gold label"));
  CHECK(says(refusal("{\"item\": 1, \"gold\": \"x\"}\n{\"item\": 1, \"gold\": \"y\"}\n", "f.jsonl"),
             "line 2: item '1' has the gold label \"y\", and \"x\" in line 1"));
  CHECK(says(refusal(R"({"item": 1, "labels": [{"annotator": "a", "label": "x", "gold": true},)"
                     R"({"annotator": "b", "label": "y", "gold": true}]})",
                     "f.jsonl"),
             "line 1: item '1' has the gold label"));
  const auto task = [](const char* choice) {
    return std::string(
               R"({"completed_by": 1, "ground_truth": true, "result": [{"type": "choices", "value": {"choices": [")") +
           choice + "\"]}}]}";
  };
  CHECK(says(refusal(R"([{"id": 7, "data": {}, "annotations": [)" + task("x") + "," + task("y") + "]}]", "f.json"),
             "item '7' has the gold label"));
  CHECK(refusal("item,gold\na,good\na,good\n").empty());
  CHECK(says(refusal("item,truth\na,good\na,bad\n"), "item 'a' has the truth \"bad\", and \"good\" in line 2"));
}

TEST_CASE("of gold labels that came one after the other the last counts, and it is told how many did not", "[label]") {
  const auto store = open_label_store(":memory:");
  take(*store, "item,annotator,label,gold\na,w,x,x\nb,w,y,\n", "first.csv");
  take(*store, "item,gold\na,y\n", "second.csv");
  const Answers answers = answers_of(*store, store->project(""), false);
  CHECK(answers.replaced_gold == 1);
  CHECK(answers.labels[size_t(answers.gold[0])] == "y");
  CHECK(infer(answers).label[0] == answers.gold[0]);
}

TEST_CASE("names and annotators that a file has no use for are refused or told", "[label]") {
  ImportOptions o;
  o.label = "lable";
  CHECK(says(refusal("{\"item\": 1, \"annotator\": \"a\", \"label\": \"x\"}\n", "f.jsonl", o),
             "f.jsonl: no row has the key 'lable' (--label)"));
  o = {};
  o.data = {"txt"};
  CHECK(says(refusal("{\"item\": 1, \"text\": \"x\"}\n", "f.jsonl", o), "no row has the key 'txt' (--data)"));
  o = {};
  o.item = "id";
  CHECK(says(refusal("[{\"id\": 1, \"data\": {}, \"annotations\": []}]", "f.json", o), "--item is not read here"));
  o = {};
  o.by = "ann";
  const auto store = open_label_store(":memory:");
  const ImportReport r = take(*store, "item,annotator,label\na,w,x\n", "f.csv", o);
  REQUIRE(r.notes.size() == 1);
  CHECK(says(r.notes[0], "--by is not read"));
}

TEST_CASE("a row of which nothing is read is refused, and a misspelt key is told with the nearest one", "[label]") {
  CHECK(says(refusal("{}\n", "f.jsonl"), "f.jsonl, line 1: there is nothing in it that is read"));
  CHECK(says(refusal("{\"item\": \"a\"}\n{\"lable\": \"x\"}\n", "f.jsonl"),
             "line 2: there is nothing in it that is read: expected an item, data, a label or a truth, did you mean "
             "'label'?"));
  const auto store = open_label_store(":memory:");
  const ImportReport r = take(*store, "{\"item\": \"a\", \"lable\": \"x\", \"colour\": 1}\n", "f.jsonl");
  REQUIRE(r.notes.size() == 1);
  CHECK(r.notes[0] == "not read: 'colour', 'lable' (did you mean 'label'?) (--data takes them into the items)");
}

TEST_CASE("a column or a key has one role", "[label]") {
  ImportOptions both;
  both.label = both.truth = "answer";
  CHECK(says(refusal("item,worker,answer\na,w,x\n", "f.csv", both), "the column 'answer' is both"));
  CHECK(says(refusal("{\"item\": \"a\", \"worker\": \"w\", \"answer\": \"x\"}\n", "f.jsonl", both),
             "f.jsonl: the key 'answer' is both --label and --truth, expected one of them"));
  ImportOptions usual;  // the other role has it by its usual name
  usual.truth = "label";
  CHECK(says(refusal("item,worker,label\na,w,x\n", "f.csv", usual), "the column 'label' is both"));
  CHECK(says(refusal("{\"item\": \"a\", \"worker\": \"w\", \"label\": \"x\"}\n", "f.jsonl", usual),
             "the key 'label' is both --truth and --label"));
}

TEST_CASE("a file of another kind is called by its name, whatever its own name says", "[label]") {
  CHECK(says(refusal(std::string("SQLite format 3\0", 16), "f.jsonl"), "f.jsonl is an SQLite database"));
  CHECK(says(refusal(std::string("SQLite format 3\0", 16), "f.csv"), "f.csv is an SQLite database"));
}

TEST_CASE("50,000 tasks are read and written in seconds", "[label][slow]") {
  std::string tasks = "[";
  for (int i = 0; i < 50'000; ++i)
    tasks += std::string(i ? "," : "") + "{\"id\":" + std::to_string(i) + ",\"data\":{\"text\":\"" +
             std::string(200, char('a' + i % 26)) + "\"},\"annotations\":[{\"id\":" + std::to_string(i) +
             ",\"completed_by\":" + std::to_string(i % 9) +
             ",\"result\":[{\"id\":\"r\",\"from_name\":\"l\",\"to_name\":\"t\",\"type\":\"choices\",\"value\":{"
             "\"choices\":[\"" +
             (i % 3 ? "good" : "bad") + "\"]}}]}],\"predictions\":[]}\n";
  tasks += "]";
  const TempFolder folder;
  const auto seconds = [](auto&& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  const auto store = open_label_store(folder / "l.db");
  std::string out;
  const double in = seconds([&] { take(*store, tasks, "t.json"); });
  const double written = seconds([&] { out = give(*store, Format::label_studio); });
  WARN("50,000 tasks: imported in " << in << " s, exported in " << written << " s");
  CHECK(in < 100);
  CHECK(written < 50);
  CHECK(std::count(out.begin(), out.end(), '\n') >= 50'000);
}
