/* Loads ELF files that were built for Android's C library (bionic) into a glibc process.
 *
 * For tests: the files for phones are executed unmodified. Android's linker has many more checks;
 * those that are easy to implement are here too, with the same messages. Formats: the ELF
 * specification, "ELF for the Arm 64-bit Architecture", and for DT_ANDROID_RELA the reader in
 * bionic's linker (linker_reloc_iterators.h). */

#define _GNU_SOURCE
#include "loader.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOST_IMAGES 8
#define MOST_SEGMENTS 32
#define PAGE 4096u
#define DT_ANDROID_RELA 0x60000011

/* A block of padding at the start of the program's thread-local storage. Clang for Android reads
 * the value that guards the stack from the thread pointer + 0x28; in glibc this is where the
 * program's own thread-local variables begin. Aligned like this, they begin at + 0x40. */
__thread char thread_local_padding[64] __attribute__((aligned(64)));

struct image {
  char path[1024];
  uint8_t *base;
  size_t size;
  Elf64_Ehdr header;
  Elf64_Phdr segments[MOST_SEGMENTS];
  const Elf64_Sym *symbols;
  const char *strings;
  const uint32_t *gnu_hash;
};

static struct image images[MOST_IMAGES];
static int image_count;
char loader_error[512];

static int refuse(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(loader_error, sizeof loader_error, format, arguments);
  va_end(arguments);
  return -1;
}

/* Libraries of every Android that apps may link to, as far as the tested files need them. */
static const char *const system_libraries[] = {
    "libc.so",  "libm.so",       "libdl.so",     "liblog.so",    "libandroid.so",
    "libz.so",  "libGLESv2.so",  "libGLESv3.so", "libEGL.so",    "libnativewindow.so",
};
/* Prefixes of their functions that are not needed without a screen and an app. */
static const char *const absent_functions[] = {"gl", "egl", "AHardwareBuffer_", "AAsset"};

static long no_such_device(void) { return 0; }

static int is_listed(const char *name, const char *const *list, size_t count, int as_prefix) {
  for (size_t i = 0; i < count; i++)
    if (as_prefix ? !strncmp(name, list[i], strlen(list[i])) : !strcmp(name, list[i])) return 1;
  return 0;
}
#define IS_LISTED(name, list, as_prefix) \
  is_listed(name, list, sizeof(list) / sizeof(list)[0], as_prefix)

/* ---- segments ---- */

static int map(struct image *image, int file) {
  struct stat status;
  Elf64_Ehdr *header = &image->header;
  if (fstat(file, &status) < 0 || pread(file, header, sizeof *header, 0) != sizeof *header ||
      memcmp(header->e_ident, ELFMAG, SELFMAG))
    return refuse("\"%s\" has bad ELF magic", image->path);
  if (header->e_machine != EM_AARCH64 || header->e_ident[EI_CLASS] != ELFCLASS64)
    return refuse("\"%s\" is for EM %d instead of EM_AARCH64", image->path, header->e_machine);
  if (header->e_type != ET_DYN)
    return refuse("\"%s\": only position independent executables (PIE) are supported",
                  image->path);
  size_t table = header->e_phnum * sizeof(Elf64_Phdr);
  if (header->e_phnum > MOST_SEGMENTS ||
      pread(file, image->segments, table, (off_t)header->e_phoff) != (ssize_t)table)
    return refuse("\"%s\" has invalid phdr offset/size", image->path);

  for (int i = 0; i < header->e_phnum; i++) {
    const Elf64_Phdr *segment = &image->segments[i];
    if (segment->p_type == PT_TLS)
      return refuse("\"%s\" has thread-local storage, which this loader does not support", image->path);
    if (segment->p_type != PT_LOAD) continue;
    if (segment->p_offset + segment->p_filesz > (uint64_t)status.st_size)
      return refuse("\"%s\" load segment[%d] reaches beyond the end of the file", image->path, i);
    if (segment->p_vaddr + segment->p_memsz > image->size)
      image->size = segment->p_vaddr + segment->p_memsz;
  }
  image->base = mmap(NULL, image->size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (image->base == MAP_FAILED) return refuse("\"%s\": %s", image->path, strerror(errno));
  for (int i = 0; i < header->e_phnum; i++) {
    const Elf64_Phdr *segment = &image->segments[i];
    if (segment->p_type == PT_LOAD &&
        pread(file, image->base + segment->p_vaddr, segment->p_filesz, (off_t)segment->p_offset) !=
            (ssize_t)segment->p_filesz)
      return refuse("couldn't map \"%s\" segment %d", image->path, i);
  }
  return 0;
}

static int protect(const struct image *image) {
  for (int i = 0; i < image->header.e_phnum; i++) {
    const Elf64_Phdr *segment = &image->segments[i];
    if (segment->p_type != PT_LOAD) continue;
    uintptr_t start = (uintptr_t)(image->base + segment->p_vaddr) & ~(uintptr_t)(PAGE - 1);
    uintptr_t end = (uintptr_t)(image->base + segment->p_vaddr + segment->p_memsz);
    int access = (segment->p_flags & PF_R ? PROT_READ : 0) |
                 (segment->p_flags & PF_W ? PROT_WRITE : 0) |
                 (segment->p_flags & PF_X ? PROT_EXEC : 0);
    if (access & PROT_EXEC) __builtin___clear_cache((char *)start, (char *)end);
    if (mprotect((void *)start, end - start, access))
      return refuse("can't protect \"%s\" segment %d: %s", image->path, i, strerror(errno));
  }
  return 0;
}

/* ---- symbols ---- */

void *image_symbol(const struct image *image, const char *name) {
  const uint32_t *table = image->gnu_hash;
  uint32_t buckets = table[0], first = table[1], bloom_words = table[2];
  const uint32_t *bucket = table + 4 + bloom_words * 2, *chain = bucket + buckets;
  uint32_t hash = 5381;
  for (const uint8_t *c = (const uint8_t *)name; *c; c++) hash = hash * 33 + *c;
  for (uint32_t i = bucket[hash % buckets]; i >= first; i++) {
    const Elf64_Sym *symbol = image->symbols + i;
    if ((chain[i - first] | 1) == (hash | 1) && symbol->st_shndx != SHN_UNDEF &&
        !strcmp(image->strings + symbol->st_name, name))
      return image->base + symbol->st_value;
    if (chain[i - first] & 1) break;
  }
  return NULL;
}

static int address_of(const struct image *image, uint32_t index, uint64_t *address) {
  const Elf64_Sym *symbol = image->symbols + index;
  const char *name = image->strings + symbol->st_name;
  if (index == 0 || symbol->st_shndx != SHN_UNDEF) {
    *address = index ? (uint64_t)(image->base + symbol->st_value) : 0;
    return 0;
  }
  void *function = library_function(name);
  if (!function && ELF64_ST_BIND(symbol->st_info) != STB_WEAK) {
    if (!IS_LISTED(name, absent_functions, 1))
      return refuse("cannot locate symbol \"%s\" referenced by \"%s\"", name, image->path);
    function = (void *)no_such_device;
  }
  *address = (uint64_t)function;
  return 0;
}

/* ---- relocations ---- */

static int relocate_one(const struct image *image, uint64_t offset, uint64_t info, int64_t addend) {
  uint64_t *place = (uint64_t *)(image->base + offset), address;
  switch (ELF64_R_TYPE(info)) {
    case R_AARCH64_NONE:
      return 0;
    case R_AARCH64_RELATIVE:
      *place = (uint64_t)image->base + (uint64_t)addend;
      return 0;
    case R_AARCH64_GLOB_DAT:
    case R_AARCH64_JUMP_SLOT:
    case R_AARCH64_ABS64:
      if (address_of(image, (uint32_t)ELF64_R_SYM(info), &address)) return -1;
      *place = address + (uint64_t)addend;
      return 0;
  }
  return refuse("unknown reloc type %u in \"%s\"", (unsigned)ELF64_R_TYPE(info), image->path);
}

static int relocate_table(const struct image *image, const Elf64_Rela *entry, size_t bytes) {
  for (size_t i = 0; i < bytes / sizeof *entry; i++)
    if (relocate_one(image, entry[i].r_offset, entry[i].r_info, entry[i].r_addend)) return -1;
  return 0;
}

static int64_t read_number(const uint8_t **from) { /* signed LEB128 */
  uint64_t value = 0;
  unsigned shift = 0;
  uint8_t byte;
  do {
    byte = *(*from)++;
    value |= (uint64_t)(byte & 0x7f) << shift;
    shift += 7;
  } while (byte & 0x80);
  if (shift < 64 && (byte & 0x40)) value |= ~(uint64_t)0 << shift;
  return (int64_t)value;
}

static int relocate_packed(const struct image *image, const uint8_t *from) {
  enum { SAME_INFO = 1, SAME_STEP = 2, SAME_ADDEND = 4, HAS_ADDEND = 8 };
  if (memcmp(from, "APS2", 4)) return refuse("\"%s\" has bad packed relocations", image->path);
  from += 4;
  int64_t left = read_number(&from), offset = read_number(&from), addend = 0;
  while (left > 0) {
    int64_t size = read_number(&from), flags = read_number(&from);
    int64_t step = flags & SAME_STEP ? read_number(&from) : 0;
    int64_t info = flags & SAME_INFO ? read_number(&from) : 0;
    if (!(flags & HAS_ADDEND))
      addend = 0;
    else if (flags & SAME_ADDEND)
      addend += read_number(&from);
    for (int64_t i = 0; i < size; i++) {
      offset += flags & SAME_STEP ? step : read_number(&from);
      if (!(flags & SAME_INFO)) info = read_number(&from);
      if ((flags & HAS_ADDEND) && !(flags & SAME_ADDEND)) addend += read_number(&from);
      if (relocate_one(image, (uint64_t)offset, (uint64_t)info, addend)) return -1;
    }
    left -= size;
  }
  return 0;
}

/* Packed relative relocations (DT_RELR) have not been needed so far. */
static int link_image(struct image *image) {
  const Elf64_Dyn *dynamic = NULL;
  for (int i = 0; i < image->header.e_phnum; i++)
    if (image->segments[i].p_type == PT_DYNAMIC)
      dynamic = (const Elf64_Dyn *)(image->base + image->segments[i].p_vaddr);
  if (!dynamic) return refuse("\"%s\" has no dynamic section", image->path);

  const void *relocations = NULL, *jumps = NULL, *packed = NULL;
  size_t relocation_bytes = 0, jump_bytes = 0, constructor_bytes = 0;
  void (*const *constructors)(int, char **, char **) = NULL;
  for (const Elf64_Dyn *entry = dynamic; entry->d_tag != DT_NULL; entry++) {
    void *address = image->base + entry->d_un.d_ptr;
    switch (entry->d_tag) {
      case DT_SYMTAB: image->symbols = address; break;
      case DT_STRTAB: image->strings = address; break;
      case DT_GNU_HASH: image->gnu_hash = address; break;
      case DT_RELA: relocations = address; break;
      case DT_RELASZ: relocation_bytes = entry->d_un.d_val; break;
      case DT_JMPREL: jumps = address; break;
      case DT_PLTRELSZ: jump_bytes = entry->d_un.d_val; break;
      case DT_ANDROID_RELA: packed = address; break;
      case DT_INIT_ARRAY: constructors = address; break;
      case DT_INIT_ARRAYSZ: constructor_bytes = entry->d_un.d_val; break;
      case DT_TEXTREL: return refuse("\"%s\" has text relocations", image->path);
      case DT_RELR: return refuse("\"%s\" has DT_RELR, which this loader does not support", image->path);
    }
  }
  if (!image->symbols || !image->strings || !image->gnu_hash)
    return refuse("\"%s\" has no DT_SYMTAB, DT_STRTAB or DT_GNU_HASH", image->path);
  for (const Elf64_Dyn *entry = dynamic; entry->d_tag != DT_NULL; entry++) {
    const char *name = image->strings + entry->d_un.d_val;
    if (entry->d_tag == DT_NEEDED && !IS_LISTED(name, system_libraries, 0))
      return refuse("library \"%s\" not found: needed by \"%s\"", name, image->path);
  }
  if (relocate_table(image, relocations, relocation_bytes) ||
      (packed && relocate_packed(image, packed)) || relocate_table(image, jumps, jump_bytes) ||
      protect(image))
    return -1;
  for (size_t i = 0; i < constructor_bytes / sizeof *constructors; i++)
    if (constructors[i] && (intptr_t)constructors[i] != -1) constructors[i](0, NULL, environ);
  return 0;
}

struct image *load(const char *path) {
  if (image_count == MOST_IMAGES) {
    refuse("this loader takes %d files at most", MOST_IMAGES);
    return NULL;
  }
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) {
    refuse("library \"%s\" not found", path);
    return NULL;
  }
  struct image *image = &images[image_count];
  memset(image, 0, sizeof *image);
  snprintf(image->path, sizeof image->path, "%s", path);
  int refused = map(image, file);
  close(file);
  if (refused) return NULL;
  image_count++; /* before its constructors run: they may load others, or throw */
  return link_image(image) ? NULL : image;
}

int is_image(const void *handle) {
  for (int i = 0; i < image_count; i++)
    if (handle == &images[i]) return 1;
  return 0;
}

int for_each_image(int (*visit)(struct dl_phdr_info *, size_t, void *), void *data) {
  for (int i = 0; i < image_count; i++) {
    struct dl_phdr_info info = {
        .dlpi_addr = (Elf64_Addr)images[i].base,
        .dlpi_name = images[i].path,
        .dlpi_phdr = images[i].segments,
        .dlpi_phnum = images[i].header.e_phnum,
    };
    int result = visit(&info, sizeof info, data);
    if (result) return result;
  }
  return dl_iterate_phdr(visit, data);
}

/* loader EXECUTABLE ARGV0 [ARGUMENT...] */
int main(int count, char **arguments, char **environment) {
  if (count < 3) return 2;
  struct image *image = load(arguments[1]);
  if (!image) {
    fprintf(stderr, "CANNOT LINK EXECUTABLE \"%s\": %s\n", arguments[1], loader_error);
    return 1;
  }
  /* The stack as Linux would set it up: argc, argv, NULL, environment, NULL, no auxiliary
   * entries. Above it is room for the program itself. */
  size_t variables = 0;
  while (environment[variables]) variables++;
  enum { STACK = 1 << 22 };
  size_t words = 1 + (size_t)(count - 2) + 1 + variables + 1 + 2;
  char *bottom = malloc(STACK + (words + 2) * sizeof(long));
  if (!bottom) return 1;
  long *top = (long *)(((uintptr_t)bottom + STACK) & ~(uintptr_t)15), *next = top;
  *next++ = count - 2;
  for (int i = 2; i < count; i++) *next++ = (long)arguments[i];
  *next++ = 0;
  for (size_t i = 0; i < variables; i++) *next++ = (long)environment[i];
  *next++ = 0;
  *next++ = 0;
  *next = 0;
  __asm__ volatile("mov sp, %0\n  mov x0, %0\n  br %1"
                   :
                   : "r"(top), "r"(image->base + image->header.e_entry)
                   : "x0", "memory");
  __builtin_unreachable();
}
