// Tables as people have them: separators, quotes, headers, times; what is wrong is said with its line.
#include <cmath>

#include "io/table_reader.h"
#include "puna/recsys/evaluate.h"
#include "recsys/data/times.h"
#include "recsys/golden_sequence.h"
#include "support/files.h"
#include "support/status.h"

using namespace puna;
using namespace puna::recsys;
using namespace puna::test;

namespace test_tables {
namespace {

using io::parse_number;
using io::TableReader;

using Rows = std::vector<std::vector<std::string>>;

Rows rows_of(const std::string& text) {
  TableReader table(open_memory_source(text.data(), text.size(), "t.csv"));
  Rows rows;
  for (std::vector<std::string_view> fields; table.next(fields);) rows.emplace_back(fields.begin(), fields.end());
  return rows;
}

Interactions read(const std::string& text) {
  return read_interactions(open_memory_source(text.data(), text.size(), "t.csv"));
}

std::string message_of(FunctionRef<void()> call) {
  try {
    call();
  } catch (const Error& e) {
    CHECK((e.status() == Status::bad_file || e.status() == Status::unsupported ||
           e.status() == Status::invalid_argument));
    return e.what();
  }
  return "";
}
std::string message(const std::string& text) {
  return message_of([&] { read(text); });
}
bool has(const std::string& text, const std::string& part) {
  UNSCOPED_INFO(text);
  return text.find(part) != std::string::npos;
}

// What became of the events: user, item, seconds.
std::vector<std::string> events_of(const Interactions& all) {
  std::vector<std::string> events;
  for (size_t u = 0; u < all.histories.size(); ++u)
    for (const Event& e : all.histories[u])
      events.push_back(all.users[u] + " " + all.items[size_t(e.item)] + " " + std::to_string(e.time));
  return events;
}

const std::vector<std::string> kThree{"1 296 1147880044", "1 306 1147880045", "2 306 1147868828"};
const char* kHeader = "user_id,item_id,timestamp\n";

}  // namespace

TEST_CASE("a table's separator is the most frequent one outside quotes in its first line, or given by sep=",
          "[recsys]") {
  const Rows expected{{"a", "b", "c"}, {"1", "2", "3"}};
  for (const char* text :
       {"a,b,c\n1,2,3\n", "a;b;c\n1;2;3\n", "a|b|c\n1|2|3\n", "a\tb\tc\n1\t2\t3\n", "a::b::c\n1::2::3\n",
        "sep=;\na;b;c\n1;2;3\n", "\xef\xbb\xbfsep=|\r\na|b|c\r\n1|2|3\r\n", "a , b ,c\n 1,\t2 , 3 \n"}) {
    CAPTURE(text);
    CHECK(rows_of(text) == expected);
  }
  CHECK(rows_of("\"a,,,,\";b\n1;2\n") == Rows{{"a,,,,", "b"}, {"1", "2"}});
  CHECK(rows_of("1;2,5;3\n") == Rows{{"1", "2,5", "3"}});
  CHECK(rows_of("a,b;c\td\n") == Rows{{"a,b;c", "d"}});  // a tab before anything else
}

TEST_CASE("quoted fields hold separators, quotes and line breaks, and lines end in all three ways", "[recsys]") {
  CHECK(rows_of("\"a\",\"b \"\"x\"\"\",c\n\"1\n2\",\"3\r\n4\",\"\"\n") ==
        Rows{{"a", "b \"x\"", "c"}, {"1\n2", "3\r\n4", ""}});
  CHECK(rows_of("a,b\r1,2\r\r3,4") == Rows{{"a", "b"}, {"1", "2"}, {"3", "4"}});
  CHECK(rows_of("\n\r\n  \na,b\n\n1,2\n\n") == Rows{{"a", "b"}, {"1", "2"}});
  CHECK(rows_of("a, \"b\" ,c\n") == Rows{{"a", "b", "c"}});
  CHECK(rows_of("5\" disk,b\n") == Rows{{"5\" disk", "b"}});                       // a quote inside is a letter
  CHECK(rows_of("1::\"Great\" Cats::5\n") == Rows{{"1", "\"Great\" Cats", "5"}});  // and with :: everywhere
  CHECK(rows_of("\xef\xbb\xbf") == Rows{});
}

TEST_CASE("a table that is no text or whose quotes do not match is refused with its line", "[recsys]") {
  CHECK(
      has(message_of([] { rows_of("a,b\n1,\"2\n3,4\n"); }), "t.csv, line 2: a quote opens a field and none closes it"));
  CHECK(has(message_of([] { rows_of("a,b\n\"x\ny\",2\n1,\"2\"3\n"); }), "line 4: '3' follows a closing quote"));
  CHECK(has(message_of([] { rows_of("a,b\n1,caf\xe9\n"); }), "line 2: byte 0xe9 is no UTF-8"));
  CHECK(has(message_of([] { rows_of(std::string("a,b\n1,2\n\0,3\n", 12)); }), "line 3: there is a NUL"));
  CHECK(has(message_of([] { rows_of(std::string(5000, ',')); }), "more than 4096 columns"));
  const std::pair<std::string, const char*> kinds[] = {{"\x1f\x8b\x08", "gzip"},
                                                       {"PK\3\4....", "ZIP"},
                                                       {"PAR1\x15\x04", "Parquet"},
                                                       {"\x28\xb5\x2f\xfd", "Zstandard"},
                                                       {"{\"user\": 1}\n", "JSON"},
                                                       {"[{\"user\": 1}]\n", "JSON"},
                                                       {"<!DOCTYPE html>", "HTML"},
                                                       {"\xff\xfe"
                                                        "a",
                                                        "UTF-16"},
                                                       {"BZh91AY&SY\x01", "bzip2"},
                                                       {"\x89HDF\r\n\x1a\n", "HDF5"}};
  for (const auto& [text, name] : kinds)
    CHECK(has(message_of([&, &t = text] { rows_of(t); }), std::string("t.csv is ")));
  for (const auto& [text, name] : kinds) CHECK(has(message_of([&, &t = text] { rows_of(t); }), name));
  CHECK(rows_of("ORCID,b\n") == Rows{{"ORCID", "b"}});  // letters that a format begins with
}

TEST_CASE("reading a table is stopped by its watch", "[recsys]") {
  std::string text = kHeader;
  for (int i = 0; i < 100000; ++i) text += "1,2,3\n";
  for (const std::string& t : {text, kHeader + ("\"" + std::string(4 << 20, 'x')) + "\",2,3\n"}) {
    const Watch watch([] { return false; }, std::chrono::microseconds(0));
    CHECK(status_of([&] { read_interactions(open_memory_source(t.data(), t.size(), "t.csv"), watch); }) ==
          Status::cancelled);
  }
}

TEST_CASE("the same events are read whatever the usual data sets call, order and quote their columns", "[recsys]") {
  const std::vector<std::string> tables{
      // MovieLens
      "userId,movieId,rating,timestamp\n1,296,5.0,1147880044\n1,306,3.5,1147880045\n2,306,2.5,1147868828\n",
      "\xef\xbb\xbfuserId,movieId,rating,timestamp\r\n1,296,5.0,1147880044\r\n1,306,3.5,1147880045\r\n2,306,2.5,"
      "1147868828\r\n",                                                           // Excel
      "\n1::296::5::1147880044\n1::306::3::1147880045\n\n2::306::2::1147868828",  // ratings.dat
      "\"user_id\",\"item_id\",\"timestamp\"\n\"1\",\"296\",\"1147880044\"\n\"1\",\"306\",\"1147880045\"\n\"2\","
      "\"306\",\"1147868828\"\n",  // R
      // Amazon
      "reviewerID;asin;overall;unixReviewTime\n1;296;5,0;1147880044\n1;306;4,0;1147880045\n2;306;1,0;1147868828\n",
      "TIMESTAMP|ITEM|USER\n1147880044|296|1\n1147880045|306|1\n1147868828|306|2\n",
      ",user,item,ts\n0,1,296,1147880044\n1,1,306,1147880045\n2,2,306,1147868828\n",  // pandas' index
      "user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t296\t5\t1.147880044e9\n1\t306\t3\t1147880045."
      "0\n2\t306\t1\t1147868828\n",  // RecBole
      "User-ID,ISBN,Book-Rating,date\n1,296,5,2006-05-17 15:34:04\n1,306,5,2006-05-17T15:34:05Z\n2,306,3,2006-05-17 "
      "14:27:08+02:00\n",
      "customer_id,article_id,t_dat\n1,296,1147880044000\n1,306,1147880045999\n2,306,1147868828000\n",
      "uid,iid,time\n1,296,1147880044000000\n1,306,1147880045000001\n2,306,1147868828000000\n",
      "visitorid,event,itemid,timestamp\n1,view,296,1147880044000000000\n1,view,306,1147880045000000000\n2,view,306,"
      "1147868828000000000\n"};
  for (const std::string& table : tables) {
    CAPTURE(table);
    CHECK(events_of(read(table)) == kThree);
  }
  CHECK(has(read(tables[0]).about, "user 'userId', item 'movieId', time 'timestamp'; not looked at: 'rating'"));
  CHECK(has(read(tables[9]).about, "times are milliseconds"));
  CHECK(has(read(tables[8]).about, "times are dates"));
}

TEST_CASE("a header without a needed column is an error that lists the columns it has and those expected", "[recsys]") {
  CHECK(has(message("user_id,item_id,rating,when\n1,2,5,100\n"),
            "line 1: 4 columns between commas, 'user_id', 'item_id', 'rating', 'when', and none of them is timestamp"));
  CHECK(has(message("user_id,item_id,timestmap\n1,2,100\n"), "does 'timestmap' mean timestamp?"));
  CHECK(has(message("usr_id,item_id,timestamp\n1,2,100\n"), "does 'usr_id' mean user_id?"));
  CHECK(has(message("who,what,stars,when\n1,2,5,100\n"),
            "'when' is no time, and 'who', 'what', 'stars', 'when' name no columns: expected user_id, item_id and "
            "timestamp"));
  CHECK(has(message("1,2,100\n"),
            "3 columns between commas, '1', '2', '100': expected the names user_id, item_id and timestamp"));
  CHECK(has(message("1 2 5 100\n"), "1 column between commas"));
  CHECK(has(message("userId,movieId,asin,time\n1,2,3,4\n"), "the columns 'movieId', 'asin' may both be the item_id"));
  CHECK(has(message("user_id,user_id,item_id,timestamp\n1,2,3,4\n"),
            "the columns 'user_id', 'user_id' may both be the user_id"));
  CHECK(has(message("user_id,item_id:token,item_id:float,timestamp\n1,2,3,4\n"), "may both be the item_id"));
  CHECK(has(message(kHeader), "no interactions, only the names of columns"));
  CHECK(has(message(""), "is empty"));
  CHECK(events_of(read("user_id,item,item_id,timestamp\n1,x,2,3\n")) ==
        std::vector<std::string>{"1 2 3"});  // ours before others
  CHECK(events_of(read("user,item,5,100\n1,2,5,200\n")) ==
        std::vector<std::string>{"1 2 200", "user item 100"});  // a row: its time is a number
}

TEST_CASE("rows that are wrong are refused with their line", "[recsys]") {
  CHECK(has(message("\n\nuser_id,item_id,timestamp\n1,2,3\n\n1,2\n"),
            "t.csv, line 6: 2 columns, expected 3 between commas"));
  CHECK(has(message(std::string(kHeader) + "1,2,3,4\n"), "line 2: 4 columns, expected 3"));
  CHECK(has(message(std::string(kHeader) + "1,\"\",3\n"), "line 2: a user or item without a name"));
  CHECK(has(message(std::string(kHeader) + "1,\"a\nb\",3\n1,2,x\n"), "line 4: 'x' is no time"));
  CHECK(has(message(std::string(kHeader) + std::string(257, 'u') + ",2,3\n"), "more than 256 bytes"));
  for (const char* wrong : {"nan",
                            "inf",
                            "-inf",
                            "0x10",
                            "12 3",
                            "1e300",
                            "",
                            "1.2.3",
                            "1e",
                            "12s",
                            "11/05/2019",
                            "2019-13-01",
                            "2019-02-29",
                            "2019-01-01T25:00",
                            "2019-01-01Tnoon",
                            "05-Nov-2019",
                            ".",
                            "+",
                            "-",
                            "1e9999999999"}) {
    CAPTURE(wrong);
    CHECK(
        has(message(std::string(kHeader) + "1,2,3\n1,2," + wrong + "\n"), std::string("line 3: '") + wrong + "' is "));
  }
  CHECK(has(message(std::string(kHeader) + "1,2,-5\n"), "'-5' is a negative time"));
  CHECK(has(message(std::string(kHeader) + "1,2,99999999999999999999\n"), "too large"));
}

TEST_CASE("a first line that counts the columns is no event", "[recsys]") {
  CHECK(has(message("0,1,2,3\n1,296,5,1147880044\n1,306,4,1147880045\n"), "counts the columns and is no event"));
  CHECK(read("0,1,2,3\n1,2,5,4\n").events() == 2);
  CHECK(read("0,1,2,3\n").events() == 1);
}

TEST_CASE("times of several units in one file are refused, with a line of each", "[recsys]") {
  CHECK(has(
      message(std::string(kHeader) + "1,2,1147880044\n1,3,1147880044000\n"),
      "the time '1147880044' in line 2 is in seconds, '1147880044000' in line 3 in milliseconds; expected one unit"));
  CHECK(has(message(std::string(kHeader) + "1,2,1147880044000000\n1,3,0\n"), "in microseconds"));
  CHECK(has(message(std::string(kHeader) + "1,2,1147880044\n1,3,2006-05-17\n"), "in dates"));
  CHECK(has(message(std::string(kHeader) + "1,2,20191105\n1,3,20191106\n"),
            "line 2: the time '20191105' looks like a date without its dashes"));
  CHECK(has(message(std::string(kHeader) + "1,2,20191105235959\n"), "without its dashes"));
  CHECK(message(std::string(kHeader) + "1,2,20191105\n1,3,20191199\n").empty());  // seconds after all
}

TEST_CASE("events are in the order of their whole times, and kept in seconds", "[recsys]") {
  for (const char* rows : {"1,a,10.25\n1,b,10.125\n1,c,10.2\n", "1,a,1.025e1\n1,b,1.0125E+1\n1,c,102000000e-7\n",
                           "1,a,010.250000001\n1,b,10.249999999\n1,c,10.25\n"}) {
    CAPTURE(rows);
    CHECK(events_of(read(std::string(kHeader) + rows)) == std::vector<std::string>{"1 b 10", "1 c 10", "1 a 10"});
  }
  CHECK(events_of(read(std::string(kHeader) + "1,a,1147880044002\n1,b,1147880044001.5\n1,c,1147880044001\n")) ==
        std::vector<std::string>{"1 c 1147880044", "1 b 1147880044", "1 a 1147880044"});
  CHECK(
      events_of(read(std::string(kHeader) +
                     "1,a,1969-12-31T23:59:59.75Z\n1,b,\"1969-12-31T23:59:59,5Z\"\n1,c,2000-02-29T00:00:00-05:30\n")) ==
      std::vector<std::string>{"1 b -1", "1 a -1", "1 c 951802200"});
  CHECK(events_of(read(std::string(kHeader) + "1,a,0.0\n1,b,-0\n1,c,00.000001\n")) ==
        std::vector<std::string>{"1 a 0", "1 b 0", "1 c 0"});
}

TEST_CASE("numbers of tables are finite decimals of at most 1e30", "[recsys]") {
  double x = 0;
  CHECK((parse_number("-2.5e3", x) && x == -2500));
  CHECK((parse_number("0", x) && x == 0));
  for (const char* wrong :
       {"", "nan", "inf", "-inf", "1e300", "1e400", "0x10", "5 ", " 5", "5,0", "five", "1_000", "--1"}) {
    CAPTURE(wrong);
    CHECK(!parse_number(wrong, x));
  }
}

TEST_CASE("data with a model's items has the model's numbers, what it does not know is left out or a miss",
          "[recsys]") {
  const std::vector<std::string> list{"d", "b", "a", "c"};
  const Names model(list, "item");
  ItemMatch match;
  const Interactions all =
      with_items_of(model, read(std::string(kHeader) + "1,a,1\n1,x,2\n1,b,3\n2,c,1\n2,y,2\n3,x,1\n3,y,2\n"), match);
  CHECK(all.items == std::vector<std::string>{"", "d", "b", "a", "c"});
  CHECK(all.item("c") == 4);
  CHECK(all.item("x") == 0);
  CHECK(match.known == 3);
  CHECK(match.unknown == 2);
  CHECK(match.events_left_out == 2);
  CHECK(match.last_events == 2);
  CHECK(match.one_unknown == "x");
  CHECK(events_of(all) == std::vector<std::string>{"1 a 1", "1 b 3", "2 c 1", "2  2", "3  2"});
  const RankingReport r = evaluate_ranking(
      all, [](std::span<const History> users, float* scores) { std::fill_n(scores, users.size() * 5, 1.0f); });
  CHECK(r.ranks == std::vector<int64_t>{3, 0});
  CHECK(r.unknown_targets == 1);
  CHECK(r.seen_targets == 0);
  CHECK(has(message_of([&] { with_items_of(model, read(std::string(kHeader) + "1,v,1\n1,w,2\n"), match); }),
            "knows none of the data's 2 items ('v', ...): its 4 are others ('d'"));
}

TEST_CASE("an evaluation where no user has two events is an error", "[recsys]") {
  const Interactions all = read(std::string(kHeader) + "1,a,1\n2,b,2\n");
  CHECK(has(message_of([&] { evaluate_ranking(all, popularity_scorer(all)); }), "none of 2 users has two events"));
}

TEST_CASE("a sequence model keeps its items' names, and a checkpoint belongs to them", "[recsys]") {
  const TempFolder folder;
  const std::string path = folder / "m.safetensors";
  const auto model = SequenceModel::create(recsys_context(), SequenceConfig::hstu(3), 5);
  model->save(path);
  CHECK(SequenceModel::load(recsys_context(), path)->item_names().empty());
  const std::vector<std::string> list{"x", "a\nb", "\xc3\xa9"};
  CHECK(has(message_of([&] { model->set_item_names({std::span(list).first(2), "item"}); }), "2 names of 3 items"));
  model->set_item_names({list, "item"});
  model->save(path);
  const auto again = SequenceModel::load(recsys_context(), path);
  CHECK(again->item_names().bytes() == model->item_names().bytes());
  CHECK(again->unit_items() == model->unit_items());
  const std::string bytes = read_text(path), kept("x\0a\nb\0\xc3\xa9\0", 9);
  for (const std::string& wrong : {std::string("x\0a\nb\0\xc3\xa9!", 9), std::string("x\0a\nb\0\xc3\0\0", 9),
                                   std::string("x\0x\0x234\0", 9), std::string("x\0abcdef\0", 9)}) {
    CAPTURE(wrong);
    std::string changed = bytes;
    REQUIRE(changed.rfind(kept) != std::string::npos);
    write_file(path, changed.replace(changed.rfind(kept), kept.size(), wrong));
    CHECK(status_of([&] { SequenceModel::load(recsys_context(), path); }) == Status::bad_file);
  }
}

}  // namespace test_tables
