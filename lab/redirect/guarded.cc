// One copy instruction under an exception handler of its own (mingw has no __try): on a fault the handler
// moves the instruction pointer to the failing exit. The unwind data needed comes from the assembler's .seh
// directives.
#include "lab/redirect/guarded.h"

#include "lab/redirect/nt.h"

extern "C" {

void lab_redirect_copy_failed();

EXCEPTION_DISPOSITION lab_redirect_copy_fault(EXCEPTION_RECORD* record, void*, CONTEXT* context, void*) {
    constexpr DWORD kUnwinding = 0x02 | 0x04;
    if (record->ExceptionFlags & kUnwinding) return ExceptionContinueSearch;
    switch (static_cast<NTSTATUS>(record->ExceptionCode)) {
        case STATUS_ACCESS_VIOLATION:
        case STATUS_IN_PAGE_ERROR:
        case STATUS_GUARD_PAGE_VIOLATION:
            context->Rip = reinterpret_cast<DWORD64>(&lab_redirect_copy_failed);
            return ExceptionContinueExecution;
        default:
            return ExceptionContinueSearch;
    }
}
}

// Both exits see the same stack: the copy instruction does not touch it.
asm(R"(
    .text
    .globl lab_redirect_guarded_copy
    .globl lab_redirect_copy_failed
    .seh_proc lab_redirect_guarded_copy
lab_redirect_guarded_copy:
    pushq %rdi
    .seh_pushreg %rdi
    pushq %rsi
    .seh_pushreg %rsi
    subq $8, %rsp
    .seh_stackalloc 8
    .seh_endprologue
    .seh_handler lab_redirect_copy_fault, @except
    movq %rcx, %rdi
    movq %rdx, %rsi
    movq %r8, %rcx
    rep movsb
    movl $1, %eax
    addq $8, %rsp
    popq %rsi
    popq %rdi
    ret
lab_redirect_copy_failed:
    xorl %eax, %eax
    addq $8, %rsp
    popq %rsi
    popq %rdi
    ret
    .seh_endproc
)");
