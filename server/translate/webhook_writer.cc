// How: the extra fields are laid out over the schema first, then the schema is walked: an extra field's text wins over
// the typed field of the same member.
#include "server/translate/webhook_writer.h"

#include <array>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "server/translate/json_pointer.h"
#include "server/translate/json_reader.h"
#include "server/translate/typed_fields.h"
#include "server/translate/webhook_schema.h"

namespace refund_relay {
namespace {

using refundrelay::v1::ExtraField;
using refundrelay::v1::RefundEvent;

absl::Status BadExtraField(const char* what) {
  return absl::InvalidArgumentError(std::string("extra_fields: ") + what + "; no webhook gives such an event");
}

// Wants nothing but that the text is JSON.
class AnyJson : public JsonVisitor {
 public:
  void Restart() override {}
  void Name(std::string_view) override {}
  void Scalar(JsonKind, size_t, std::string_view) override {}
  void Open(JsonKind, size_t) override {}
  void Close(size_t) override {}
};

class Writer {
 public:
  explicit Writer(const RefundEvent& event) : event_(event) {}

  absl::StatusOr<std::string> Write() {
    for (const auto* extras :
         {&event_.extra_fields(), &event_.user().extra_fields(), &event_.client_info().extra_fields()}) {
      for (const ExtraField& extra : *extras) {
        if (absl::Status placed = Place(extra); !placed.ok()) return placed;
      }
    }
    if (absl::Status written = WriteObject(SchemaOf(Member::kRoot)); !written.ok()) return written;
    if (unwritten_ > 0) return BadExtraField("a path leads through a member that is no object");
    return std::move(json_);
  }

 private:
  struct Unknown {
    std::string name;
    const std::string* json;
  };

  // Finds where `extra` belongs.
  absl::Status Place(const ExtraField& extra) {
    JsonReader reader(extra.json());
    AnyJson any;
    if (!reader.Read(any).ok()) return BadExtraField("a value is not JSON");
    if (!paths_.insert(extra.path()).second) return BadExtraField("a path comes twice");
    std::optional<PointerSplit> split = SplitPointer(extra.path());
    const SchemaMember* const parent = split.has_value() ? FindObject(split->parent) : nullptr;
    if (parent == nullptr) return BadExtraField("a path is no JSON Pointer to a member of a known object");
    const SchemaMember* const member = FindMember(parent->member, split->name);
    if (member != nullptr) {
      own_text_[static_cast<size_t>(member->member)] = &extra.json();
    } else {
      unknown_[static_cast<size_t>(parent->member)].push_back(Unknown{std::move(split->name), &extra.json()});
    }
    ++unwritten_;
    return absl::OkStatus();
  }

  // Recursion ends with the schema's four levels.
  absl::Status WriteObject(const SchemaMember& object) {
    json_ += '{';
    for (const SchemaMember& member : Schema()) {
      if (member.parent != object.member || member.member == Member::kRoot) continue;
      if (absl::Status written = WriteMember(member); !written.ok()) return written;
    }
    for (const Unknown& unknown : unknown_[static_cast<size_t>(object.member)]) {
      WriteName(unknown.name);
      json_ += *unknown.json;
      --unwritten_;
    }
    json_ += '}';
    return absl::OkStatus();
  }

  absl::Status WriteMember(const SchemaMember& member) {
    const size_t before = json_.size();
    WriteName(member.name);
    if (const std::string* const text = own_text_[static_cast<size_t>(member.member)]; text != nullptr) {
      json_ += *text;
      --unwritten_;
      return absl::OkStatus();
    }
    if (member.kind == MemberKind::kObject && member.access.has_object(event_)) return WriteObject(member);
    const absl::StatusOr<bool> written = AppendTyped(member, event_, json_);
    if (!written.ok()) return written.status();
    if (!*written) json_.resize(before);
    return absl::OkStatus();
  }

  void WriteName(std::string_view name) {
    if (json_.back() != '{') json_ += ',';
    AppendJsonString(json_, name);
    json_ += ':';
  }

  const RefundEvent& event_;
  std::array<const std::string*, kMemberCount> own_text_{};
  std::array<std::vector<Unknown>, kMemberCount> unknown_;
  absl::flat_hash_set<std::string> paths_;
  size_t unwritten_ = 0;
  std::string json_;
};

}  // namespace

absl::StatusOr<std::string> WriteWebhook(const RefundEvent& event) { return Writer(event).Write(); }

}  // namespace refund_relay
