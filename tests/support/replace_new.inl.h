// replace_new.inl.h -- every form of operator new and delete, in terms of two functions that the including file has
// defined:
//   void* take(size_t bytes, size_t alignment /* 0: the usual */, bool nothrow) noexcept;  NULL = no memory
//   void give(void* memory) noexcept;
// All forms, or a sanitizer would see its own form freed by one of ours.
#include <new>

static void* or_throw(void* memory) { return memory ? memory : throw std::bad_alloc(); }

using Nothrow = std::nothrow_t;
void* operator new(size_t n) { return or_throw(take(n, 0, false)); }
void* operator new[](size_t n) { return or_throw(take(n, 0, false)); }
void* operator new(size_t n, const Nothrow&) noexcept { return take(n, 0, true); }
void* operator new[](size_t n, const Nothrow&) noexcept { return take(n, 0, true); }
void* operator new(size_t n, std::align_val_t a) { return or_throw(take(n, size_t(a), false)); }
void* operator new[](size_t n, std::align_val_t a) { return or_throw(take(n, size_t(a), false)); }
void* operator new(size_t n, std::align_val_t a, const Nothrow&) noexcept { return take(n, size_t(a), true); }
void* operator new[](size_t n, std::align_val_t a, const Nothrow&) noexcept { return take(n, size_t(a), true); }
void operator delete(void* p) noexcept { give(p); }
void operator delete[](void* p) noexcept { give(p); }
void operator delete(void* p, size_t) noexcept { give(p); }
void operator delete[](void* p, size_t) noexcept { give(p); }
void operator delete(void* p, std::align_val_t) noexcept { give(p); }
void operator delete[](void* p, std::align_val_t) noexcept { give(p); }
void operator delete(void* p, size_t, std::align_val_t) noexcept { give(p); }
void operator delete[](void* p, size_t, std::align_val_t) noexcept { give(p); }
void operator delete(void* p, const Nothrow&) noexcept { give(p); }
void operator delete[](void* p, const Nothrow&) noexcept { give(p); }
void operator delete(void* p, std::align_val_t, const Nothrow&) noexcept { give(p); }
void operator delete[](void* p, std::align_val_t, const Nothrow&) noexcept { give(p); }
