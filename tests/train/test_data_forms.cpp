// The forms of rows that people have: each is read as its inventors mean it, or refused in a sentence that names it.
#include "train/data_fixture.h"

using namespace puna;
using namespace puna::test;

namespace test_data_forms {
namespace {

const std::string kUser = R"({"role": "user", "content": "q"})", kAnswer = R"({"role": "assistant", "content": "a"})";

std::string refused(const std::string& row) { return Reading().refusal(row); }

}  // namespace

TEST_CASE(
    "Alpaca's rows become chats where the model has a template, else they get Alpaca's own prompt, and the report says "
    "which",
    "[train]") {
  Reading chat;
  CHECK(chat.rows(R"({"instruction": "Add.", "input": "1 2", "output": "3"}
{"instruction": "Hi", "input": "", "output": "Ho"}
{"instruction": "Hi", "output": "Ho"})") ==
        Lines{"<user>Add.\n\n1 2;<assistant>{3;}", "<user>Hi;<assistant>{Ho;}", "<user>Hi;<assistant>{Ho;}"});
  CHECK(says(chat.told(), {"Alpaca's rows became chats", "3 rows", "line 1"}));
  Reading plain;
  plain.source = "";
  CHECK(plain.rows(R"({"instruction": "Add.", "input": "1 2", "output": "3"}
{"instruction": "Hi", "input": "", "output": "Ho"})") ==
        Lines{"Below is an instruction that describes a task, paired with an input that provides further context. "
              "Write a response that appropriately completes the "
              "request.\n\n### Instruction:\nAdd.\n\n### Input:\n1 2\n\n### Response:\n{3$}",
              "Below is an instruction that describes a task. Write a response that appropriately completes the "
              "request.\n\n### Instruction:\nHi\n\n### Response:\n{Ho$}"});
  CHECK(says(plain.told(), {"Alpaca's own prompt", "2 rows"}));
}

TEST_CASE("Alpaca's system and history columns are part of the chat, and refused where there is none", "[train]") {
  const std::string row = R"({"instruction": "c", "input": "", "output": "d", "system": "S", "history": [["a", "b"]]})";
  CHECK(Reading().rows(row) == Lines{"<system>S;<user>a;<assistant>b;<user>c;<assistant>{d;}"});
  Reading plain;
  plain.source = "";
  CHECK(says(plain.refusal(row), {"line 1", "'system'", "chat template"}));
  CHECK(says(refused(R"({"instruction": "c", "output": "d", "history": [["a"]]})"), {"'history'"}));
}

TEST_CASE("ShareGPT's conversations are chats by their speakers' names", "[train]") {
  CHECK(
      Reading().rows(
          R"({"conversations": [{"from": "system", "value": "S"}, {"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]})") ==
      Lines{"<system>S;<user>a;<assistant>{b;}"});
  CHECK(Reading().rows(
            R"({"system": "S", "conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]})") ==
        Lines{"<system>S;<user>a;<assistant>{b;}"});
  CHECK(
      Reading().rows(
          R"({"tools": "[{\"name\": \"f\"}]", "conversations": [{"from": "human", "value": "a"}, {"from": "function_call", "value": "{\"name\": \"f\", \"arguments\": {\"z\": 1, \"b\": 2}}"},
{"from": "observation", "value": "r"}, {"from": "gpt", "value": "b"}]})") ==
      Lines{"[[{\"name\": \"f\"}]]<user>a;<assistant>{f{\"z\": 1, \"b\": 2};}<tool>r;<assistant>{b;}"});
  CHECK(says(refused(R"({"conversations": [{"from": "humn", "value": "a"}]})"),
             {"message 1", "'humn'", "did you mean 'human'"}));
  CHECK(says(refused(R"({"conversations": [{"from": "human", "vale": "a"}]})"), {"message 1", "'value' is missing"}));
  CHECK(says(
      refused(R"({"conversations": [{"from": "human", "value": "a"}, {"from": "function_call", "value": "f of 1"}]})"),
      {"message 2", "function_call"}));
}

TEST_CASE("conversations with roles and contents, and turns of input and output, are chats too", "[train]") {
  CHECK(Reading().rows("{\"conversations\": [" + kUser + ", " + kAnswer + "]}") == Lines{"<user>q;<assistant>{a;}"});
  CHECK(Reading().rows("{\"conversation\": [" + kUser + ", " + kAnswer + "]}") == Lines{"<user>q;<assistant>{a;}"});
  CHECK(Reading().rows(R"({"conversation": [{"input": "a", "output": "b"}, {"input": "c", "output": "d"}]})") ==
        Lines{"<user>a;<assistant>{b;}<user>c;<assistant>{d;}"});
}

TEST_CASE("TRL's conversational prompt and completion learn the completion alone", "[train]") {
  CHECK(Reading().rows("{\"prompt\": [" + kUser + "], \"completion\": [" + kAnswer + "]}") ==
        Lines{"<user>q;<assistant>{a;}"});
  CHECK(Reading().rows("{\"prompt\": [" + kUser + "," + kAnswer + "," + kUser + "], \"completion\": [" + kAnswer +
                       "]}") == Lines{"<user>q;<assistant>a;<user>q;<assistant>{a;}"});
  CHECK(Reading().rows("{\"prompt\": [" + kUser + "], \"completion\": \"a\"}") == Lines{"<user>q;<assistant>{a;}"});
  CHECK(says(refused("{\"prompt\": \"q\", \"completion\": [" + kAnswer + "]}"), {"both lists or both texts"}));
  CHECK(says(refused("{\"prompt\": [" + kUser + "," + kAnswer + "], \"completion\": [" + kAnswer + "]}"),
             {"'prompt'", "goes on"}));
}

TEST_CASE("OpenAI's weight 0 keeps an answer in the chat and out of what is learned", "[train]") {
  Reading r;
  CHECK(r.rows("{\"messages\": [" + kUser + R"(, {"role": "assistant", "content": "no", "weight": 0}, )" + kUser +
               R"(, {"role": "assistant", "content": "yes", "weight": 1}]})") ==
        Lines{"<user>q;<assistant>no;<user>q;<assistant>{yes;}"});
  CHECK(says(refused("{\"messages\": [" + kUser + R"(, {"role": "assistant", "content": "no", "weight": 0}]})"),
             {"line 1", "weight 0"}));
  CHECK(says(refused("{\"messages\": [" + kUser + R"(, {"role": "assistant", "content": "no", "weight": 0.5}]})"),
             {"'weight' is 0.5"}));
  CHECK(says(refused(R"({"messages": [{"role": "user", "content": "q", "weight": 1}, )" + kAnswer + "]}"),
             {"message 1", "'weight' is 1"}));
}

TEST_CASE("marks of what is to be learned that are not understood are refused by name", "[train]") {
  for (const char* mark : {"train", "training", "loss", "train_detail", "mask", "loss_weight"}) {
    CAPTURE(mark);
    CHECK(says(
        refused("{\"messages\": [" + kUser + R"(, {"role": "assistant", "content": "a", ")" + mark + "\": false}]}"),
        {"message 2", mark, "weight"}));
  }
  CHECK(says(refused(R"({"prompt": "a", "completion": "b", "train_on_input": true})"), {"'train_on_input'"}));
  CHECK(says(refused(R"({"input_ids": [1, 2], "labels": [1, 2]})"), {"'input_ids'", "tokens already"}));
  CHECK(says(refused(R"({"text": "a", "assistant_masks": [0, 1]})"), {"'assistant_masks'"}));
  CHECK(says(refused(R"({"prompt": "a", "completion": "b", "label": false})"), {"'label'", "KTO"}));
  CHECK(Reading().rows(R"({"text": "a", "label": 1})") ==
        Lines{"{a$}"});  // of a classifier's data: a column like others
}

TEST_CASE("forms of rows may be mixed, and null is as if a column were not there", "[train]") {
  CHECK(Reading().rows(R"({"text": "t", "messages": null, "prompt": null}
{"text": null, "messages": [{"role": "user", "content": "q"}, {"role": "assistant", "content": "a"}], "tools": null}
{"prompt": "a", "completion": "b", "text": null})") == Lines{"{t$}", "<user>q;<assistant>{a;}", "a{b$}"});
}

TEST_CASE("unused columns are reported once; of a row that fits two forms, the unused form's", "[train]") {
  Reading r;
  r.rows(R"({"prompt": "a", "completion": "b", "id": 1, "source": "x"}
{"prompt": "a", "completion": "b", "id": 2, "lang": "y"})");
  CHECK(r.report.unused_columns == Lines{"id", "source", "lang"});
  CHECK(says(r.told(), {"columns not used: id, source, lang\n"}));
  Reading two;
  CHECK(two.rows(R"({"instruction": "i", "input": "", "output": "o", "text": "### Instruction: i"})") ==
        Lines{"<user>i;<assistant>{o;}"});
  CHECK(two.report.unused_columns == Lines{"text"});
}

TEST_CASE("a misspelt column is an error that names the nearest, whether or not the row could be read without it",
          "[train]") {
  const std::string messages = "[" + kUser + ", " + kAnswer + "]";
  CHECK(says(refused("{\"mesages\": " + messages + "}"), {"line 1", "'mesages'", "did you mean 'messages'"}));
  CHECK(says(refused("{\"Messages\": " + messages + "}"), {"did you mean 'messages'"}));
  CHECK(says(refused("{\"messages\": " + messages + ", \"tool\": []}"), {"'tool'", "did you mean 'tools'"}));
  CHECK(says(refused("{\"messages\": " + messages + ", \"chat_template_kwarg\": {}}"),
             {"did you mean 'chat_template_kwargs'"}));
  CHECK(says(refused(R"({"instruction": "i", "inputs": "x", "output": "o"})"), {"'inputs'", "did you mean 'input'"}));
  CHECK(says(refused(R"({"txt": "a"})"), {"did you mean 'text'"}));
  CHECK(says(refused("{\"messages\": [{\"rol\": \"user\", \"content\": \"q\"}]}"), {"'rol'", "did you mean 'role'"}));
  CHECK(says(refused("{\"messages\": [{\"role\": \"user\", \"contnet\": \"q\"}]}"),
             {"'contnet'", "did you mean 'content'"}));
  CHECK(says(refused("{\"messages\": [{\"role\": \"asistant\", \"content\": \"q\"}]}"),
             {"'asistant'", "did you mean 'assistant'"}));
  CHECK(says(refused("{\"messages\": [{\"role\": \"User\", \"content\": \"q\"}]}"), {"'User'", "did you mean 'user'"}));
  CHECK(says(refused("{\"messages\": [{\"role\": \"gpt\", \"content\": \"q\"}]}"), {"'gpt'", "write 'assistant'"}));
}

TEST_CASE("errors about rows of unknown form show their columns and the known forms", "[train]") {
  const std::vector<std::pair<const char*, std::vector<const char*>>> rows = {
      {R"({"question": "a", "answer": "b"})", {"'question' and 'answer'", "'prompt' and 'completion'"}},
      {R"({"query": "a", "response": "b"})", {"'query' and 'response'"}},
      {R"({"inputs": "a", "targets": "b"})", {"'inputs' and 'targets'"}},
      {R"({"input": "a", "output": "b"})", {"'input' and 'output'"}},
      {R"({"prompt": "a", "response": "b"})", {"'prompt' and 'response'", "'completion'"}},
      {R"({"instruction": "a", "context": "", "response": "b"})", {"'instruction' and 'response'", "'output'"}},
      {R"({"content": "a"})", {"'content'", "name the column 'text'"}},
      {R"({"dialogue": [{"role": "user", "content": "a"}]})", {"'dialogue'", "name the column 'messages'"}},
      {R"({"contents": [{"role": "user", "parts": [{"text": "a"}]}]})", {"Gemini"}},
      {R"({"data": [{"text": "a"}]})", {"inside 'data'"}},
      {R"({"version": "1", "rows": [{"row": {"text": "a"}}]})", {"inside 'rows'"}},
      {R"({"row": {"text": "a"}})", {"inside 'row'"}},
      {R"({"prompt": "a"})", {"'prompt' is there", "'completion' is missing"}},
      {R"({"title": "a", "pages": 3})", {"columns title, pages"}},
      {R"({})", {"empty object"}},
      {R"({"prompt": "a", "chosen": "b", "rejected": "c"})", {"pair", "puna dpo"}},
  };
  for (const auto& [row, words] : rows) {
    CAPTURE(row);
    CHECK(says(refused(row), words));
    CHECK(says(refused(row), {"data.jsonl, line 1"}));
  }
  CHECK(says(refused(R"({"title": "a"})"),
             {"{\"text\"}", "\"prompt\", \"completion\"", "\"messages\"", "Alpaca", "ShareGPT"}));
  CHECK(says(refused(R"({"text": ["a", "b"]})"), {"'text' is a list", "table by columns"}));
  CHECK(says(refused(R"({"text": {"0": "a"}})"), {"'text' is an object", "table by columns"}));
}

TEST_CASE("empty rows are refused or reported, never skipped silently", "[train]") {
  CHECK(says(refused(R"({"prompt": "a", "completion": ""})"), {"line 1", "answer is empty"}));
  CHECK(says(refused("{\"messages\": [" + kUser + "]}"), {"no message is the assistant's"}));
  CHECK(says(refused(R"({"messages": [{"role": "user", "content": null}]})"),
             {"message 1", "'content' is missing or null"}));
  Reading r;
  CHECK(r.rows("{\"text\": \"\"}\n{\"text\": \"a\"}\n{\"text\": \"\"}") == Lines{"{a$}"});
  CHECK(says(r.told(), {"rows without text are left out", "2 rows", "line 1"}));
  CHECK(r.rows("{\"messages\": [" + kUser + "," + kAnswer + "," + kUser + "]}") == Lines{"<user>q;<assistant>{a;}"});
  CHECK(says(r.told(), {"messages behind the last answer are not used"}));
  CHECK(r.rows("{\"messages\": [" + kUser + R"(, {"role": "assistant", "content": ""}]})") ==
        Lines{"<user>q;<assistant>{;}"});
  CHECK(says(r.told(), {"to say nothing is learned"}));
}

TEST_CASE("a new tokenizer is trained on the texts of the data, not on their JSON", "[train]") {
  CHECK(train::text_of_data(
            "{\"messages\": [{\"role\": \"user\", \"content\": \"caf\\u00e9\"}], \"id\": \"x\"}\n{\"text\": \"t\"}",
            "x") == "caf\u00e9\nt\n");
  CHECK(train::text_of_data("plain", "x") == "plain");
}

}  // namespace test_data_forms
